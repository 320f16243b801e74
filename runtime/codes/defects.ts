import type { CodeRows } from './row.ts';

/** Defects of gitfleet. */
export const defectsCodes = () =>
  ({
    INTERNAL: {
      next: 'bug',
      about: 'gitfleet',
      means: 'gitfleet met an error that it does not know.',
      hint: 'please report this defect in gitfleet with the log lines around it',
    },
    NOT_PROVED: {
      next: 'bug',
      about: 'gitfleet',
      means: 'A work tree was to become a release before it had been verified.',
      hint: 'please report it with the log lines around it',
    },
    CLOSED: {
      next: 'bug',
      about: 'gitfleet',
      means: 'A ZooKeeper session was used after it had been closed.',
      hint: 'please report it with the log lines around it',
    },
    BAD_PATH: {
      next: 'bug',
      about: 'gitfleet',
      means: 'gitfleet asked ZooKeeper for a path that is not one.',
      hint: 'please report it with the log lines around it',
    },
    BAD_ARGUMENTS: {
      next: 'bug',
      about: 'gitfleet',
      means: 'ZooKeeper, or our own check before it, refused a request as malformed.',
      hint: 'please report it with the log lines around it',
    },
    MARSHALLING_ERROR: {
      next: 'bug',
      about: 'gitfleet',
      means: 'ZooKeeper could not read a request.',
      hint: 'please report it, with the version of ZooKeeper',
    },
    API_ERROR: {
      next: 'bug',
      about: 'gitfleet',
      means: 'ZooKeeper reports that its client was used wrongly.',
      hint: 'please report it with the log lines around it',
    },
    NO_CHILDREN_FOR_EPHEMERALS: {
      next: 'bug',
      about: 'gitfleet',
      means: 'gitfleet tried to create a znode below an ephemeral one.',
      hint: 'please report it with the log lines around it',
    },
    INVALID_CALLBACK: {
      next: 'bug',
      about: 'gitfleet',
      means: 'ZooKeeper reports an invalid callback.',
      hint: 'please report it with the log lines around it',
    },
    NO_WATCHER: {
      next: 'bug',
      about: 'gitfleet',
      means: 'gitfleet tried to remove a watch that does not exist.',
      hint: 'please report it with the log lines around it',
    },
  }) as const satisfies CodeRows;
