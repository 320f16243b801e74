/**
 * A test file that starts processes by way of the sources alone (a git, a hook, a step) imports this and nothing of it:
 * by that it is none of the quick lane (lanes.ts). One that imports node:child_process, itself or by a helper of ours,
 * is known without it.
 */
export {};
