/**
 * A test file that starts processes only through the sources (a git, a hook, a step) imports this, and nothing from it:
 * that keeps it out of the quick lane (lanes.ts). A file that imports node:child_process, itself or through a helper of
 * ours, is recognised without it.
 */
export {};
