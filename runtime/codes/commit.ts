import type { CodeRows } from './row.ts';

/** Problems of the commit: its tree, its release file, its steps, its health. */
export const commitCodes = () =>
  ({
    UNSAFE_TREE: {
      next: 'stall',
      about: 'commit',
      means:
        'The tree of the commit has an entry that must not be checked out, such as a link that leaves the release.',
      hint: 'correct it in the repository and publish the new commit',
    },
    SUBMODULES: {
      next: 'stall',
      about: 'commit',
      means: 'The commit contains submodules, which are never fetched.',
      hint: 'commit the files themselves, or let the settings of the agent ignore submodules',
    },
    LFS_POINTERS: {
      next: 'stall',
      about: 'commit',
      means: 'Files of the commit are Git LFS pointers without their content.',
      hint: 'commit the files themselves, or allow pointers in the settings',
    },
    TOO_LARGE: {
      next: 'stall',
      about: 'commit',
      means: 'The tree, the fetch or what git prints of them is over the limit.',
      hint: 'publish a smaller tree, or raise agent.content.maxEntries',
    },
    NAME_TOO_LONG: {
      next: 'stall',
      about: 'commit',
      means:
        'A file name is too long for the file system, which also has to hold the few letters that the agent appends.',
      hint: 'choose a shorter name for the named path',
    },
    BAD_OBJECTS: {
      next: 'stall',
      about: 'commit',
      means: 'The history of the commit contains objects that git fsck refuses.',
      hint: 'repair the repository (git fsck names the objects), then publish another commit',
    },
    NOT_A_COMMIT: {
      next: 'stall',
      about: 'commit',
      means: 'The id names a tag, a tree or a blob.',
      hint: 'publish the id of a commit; `git rev-parse <name>^{commit}` prints the commit of a tag',
    },
    RELEASE_FILE: {
      next: 'stall',
      about: 'commit',
      means: 'The file gitfleet.yml of the commit is not valid, or is not a plain file.',
      hint: 'docs/steps.md lists every member of the file; correct it and publish the new commit',
    },
    SHARED_TAKEN: {
      next: 'stall',
      about: 'commit',
      means: 'The commit has a file or directory where a shared path belongs.',
      hint: 'remove it from the repository (a .gitkeep too: the agent makes the directory), or from agent.shared',
    },
    PREPARE_FAILED: {
      next: 'stall',
      about: 'commit',
      means: 'The prepare step failed or took too long; the link was not changed.',
      hint: 'see the output of the step, correct the prepare step, and publish again',
    },
    PREPARE_CHANGED: {
      next: 'stall',
      about: 'commit',
      means: 'The prepare step changed files of the commit; the link was not changed.',
      hint: 'let it write elsewhere, or list what it makes in agent.generated; then publish again',
    },
    PRE_ACTIVATE_FAILED: {
      next: 'stall',
      about: 'commit',
      means: 'The pre-activate step failed or took too long; the link was not changed.',
      hint: 'see the output of the step, correct the pre-activate step, and publish again',
    },
    ACTIVATE_FAILED: {
      next: 'stall',
      about: 'commit',
      means: 'The activate step failed or took too long, after the link had been swapped.',
      hint: 'see the output of the step, correct the activate step, and publish again',
    },
    RESTART_FAILED: {
      next: 'stall',
      about: 'commit',
      means: 'systemd could not restart the units of agent.restart with the new release.',
      hint: 'the new release is linked; see journalctl -u UNIT, then publish again, or run gitfleet rollback',
    },
    HEALTH_FAILED: {
      next: 'stall',
      about: 'commit',
      means: 'The health checks failed after activation, or later while the rollout still watched the release.',
      hint: 'see the log of the service, correct the cause, and publish again',
    },
  }) as const satisfies CodeRows;
