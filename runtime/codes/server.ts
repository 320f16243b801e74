import type { CodeRows } from './row.ts';

/** This machine: its disk, its limits, the directories and settings of its agent. */
export const serverCodes = () =>
  ({
    NO_SPACE: {
      next: 'retry',
      about: 'server',
      means: 'The disk or the quota has no room for what must be written.',
      hint: 'free disk space on this server; the agent tries again automatically',
    },
    READ_ONLY: {
      next: 'retry',
      about: 'server',
      means: 'The file system does not accept writes.',
      hint: 'remount the file system for writing; the agent tries again automatically',
    },
    PERMISSION: {
      next: 'retry',
      about: 'server',
      means: 'The user of the agent may not read or write a path.',
      hint: 'check owner and mode of the named path for the agent user',
    },
    TOO_MANY_FILES: {
      next: 'retry',
      about: 'server',
      means: 'The limit of open files is reached.',
      hint: 'raise the limit of open files of the agent',
    },
    TOO_MANY_PROCESSES: {
      next: 'retry',
      about: 'server',
      means: 'The limit of processes is reached.',
      hint: 'raise the limit of processes of the agent',
    },
    NO_MEMORY: {
      next: 'retry',
      about: 'server',
      means: 'The agent or its git got no more memory.',
      hint: 'free memory on this server, or give it more; the agent tries again automatically',
    },
    BUSY: {
      next: 'retry',
      about: 'server',
      means: 'The operating system reports that a path is in use.',
      hint: 'release the named path, such as by unmounting it; the agent tries again automatically',
    },
    IO_ERROR: {
      next: 'retry',
      about: 'server',
      means: 'The disk or the network file system failed to read or write.',
      hint: 'check the disk and its hardware; remount a network file system',
    },
    VANISHED: {
      next: 'retry',
      about: 'server',
      means: 'A file or directory disappeared while the agent worked with it.',
      hint: 'find out what removed the named path; the agent tries again automatically',
    },
    NOT_DIR: {
      next: 'stall',
      about: 'server',
      means: 'A file is where a directory must be.',
      hint: 'move the file away, or choose another relativePath',
    },
    NOT_A_FILE: {
      next: 'retry',
      about: 'server',
      means: 'A symbolic link, a directory or a device is where the agent keeps a plain file; it was not touched.',
      hint: 'put a plain file there; to keep the state elsewhere, set agent.state instead of linking its files',
    },
    FILE_TOO_LARGE: {
      next: 'retry',
      about: 'server',
      means: 'A file of the agent is larger than any that it writes, or than this system allows.',
      hint: 'find out what wrote to the named file; check the file size limit of the agent (ulimit -f)',
    },
    SYMLINK: {
      next: 'stall',
      about: 'server',
      means: 'A symbolic link is where the agent needs a real directory.',
      hint: 'make it a real directory, or choose another relativePath',
    },
    OWNER: {
      next: 'stall',
      about: 'server',
      means: 'A path of the agent belongs to another user, or other users can write to it.',
      hint: 'chown it to the agent user and remove write permission for others',
    },
    OCCUPIED: {
      next: 'stall',
      about: 'server',
      means: 'Something that the agent did not make is where its link must appear; it was not touched.',
      hint: 'move it away, or choose another relativePath; the agent never deletes what it did not make',
    },
    PATH_TAKEN: {
      next: 'stall',
      about: 'server',
      means: 'Something that the agent did not make is where a release must appear; it was not touched.',
      hint: 'move it away; gitfleet never deletes it',
    },
    STATE_TAKEN: {
      next: 'stall',
      about: 'server',
      means: 'Another agent is using this state directory.',
      hint: 'stop the other agent, or give this one a state directory of its own; fuser -v shows what holds it',
    },
    ROOT_TAKEN: {
      next: 'stall',
      about: 'server',
      means: 'Another agent is using this root, or it belongs to an agent of another name or machine.',
      hint: 'give this agent a root of its own; if the other agent is gone for good, remove its owner file',
    },
    LOCK_FAILED: {
      next: 'stall',
      about: 'server',
      means: 'A lock file could not be locked.',
      hint: 'put root and state on a local file system, or one with locks; flock must be that of util-linux',
    },
    LOCK_LOST: {
      next: 'stall',
      about: 'server',
      means: 'The state directory, or what the agent keeps in its root, was removed or replaced while the agent ran.',
      hint: 'start the agent again: it makes what is missing; find out what removed it',
    },
    NO_FLOCK: {
      next: 'stall',
      about: 'server',
      means: 'The command flock is missing.',
      hint: 'install util-linux',
    },
    NO_GIT: {
      next: 'stall',
      about: 'server',
      means: 'The command git is missing.',
      hint: 'install git on this server, or correct the PATH of the agent',
    },
    LISTEN: {
      next: 'stall',
      about: 'server',
      means: 'The port for /healthz and /metrics cannot be opened.',
      hint: 'give agent.listen a port that is free, or remove the setting',
    },
    JOURNAL_UNREADABLE: {
      next: 'stall',
      about: 'server',
      means: 'The journal in the state directory is damaged, or a newer version of gitfleet wrote it.',
      hint: 'after a downgrade, use the newer agent again; otherwise remove the file: the agent finds links and releases on the disk',
    },
    STATE_UNREADABLE: {
      next: 'stall',
      about: 'server',
      means: 'A file of the state directory that names this agent or this machine is damaged.',
      hint: 'restore the file from a backup; without one remove it, and give the agent a new root and a new id',
    },
    TREE_MISMATCH: {
      next: 'retry',
      about: 'server',
      means:
        'The files of a release differ from its commit, because something else writes there or the disk is damaged.',
      hint: 'stop what writes into the release; if nothing does, check disk and memory of this server',
    },
    ON_ROLLBACK_FAILED: {
      next: 'stall',
      about: 'server',
      means: 'The on-rollback step failed or took too long; the server is back on the earlier release all the same.',
      hint: 'see the output of the step, then correct the on-rollback step',
    },
    ON_FAILURE_FAILED: {
      next: 'stall',
      about: 'server',
      means: 'The on-failure step failed or took too long; the failure that it was run for stands beside it.',
      hint: 'see the output of the step, then correct the on-failure step',
    },
    NOTHING_KEPT: {
      next: 'stall',
      about: 'server',
      means: 'gitfleet agent rollback found no release on this server that it can go back to.',
      hint: 'publish an earlier commit instead',
    },
    NOT_OBEYED: {
      next: 'stall',
      about: 'server',
      means: 'The agent did not finish the rollback in time, or a newer target overtook it.',
      hint: 'see gitfleet agent status and the log of the agent',
    },
    SETUP_FAILED: {
      next: 'stall',
      about: 'server',
      means: 'gitfleet agent install or uninstall could not complete one of its items.',
      hint: 'correct what the reason names, and run it again',
    },
  }) as const satisfies CodeRows;
