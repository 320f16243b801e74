import type { CodeRows } from './row.ts';

/** For programs that share work over ZooKeeper: with the library, `gitfleet lock` or `gitfleet elect`. */
export const sharedWorkCodes = () =>
  ({
    ZNODE: {
      next: 'stall',
      about: 'request',
      means: 'A name or path of a znode is not valid.',
      hint: 'write a path such as /shop/locks/stack: no empty part, no part that is . or .., no control characters',
    },
    ZNODE_RESERVED: {
      next: 'stall',
      about: 'request',
      means: 'The znode belongs to gitfleet, to flags, to services or to ZooKeeper; programs do not write there.',
      hint: 'choose a path outside; gitfleet has verbs for apps, flags and services',
    },
    FULL: {
      next: 'retry',
      about: 'coordination',
      means: 'A queue, or a list of tasks, has as many entries as it may have.',
      hint: 'wait until some are done, or start more programs that take them; then try again',
    },
    GIVEN_AWAY: {
      next: 'wait',
      about: 'coordination',
      means:
        'A queue item or a task was given to another program, because this one lost its session or did not report.',
      hint: 'drop what was done for it: the program that has it now does it again',
    },
    LOCK_TAKEN: {
      next: 'retry',
      about: 'request',
      means: 'Another program kept the lock for as long as gitfleet lock was told to wait.',
      hint: 'try again later, or wait longer: --wait 5m',
    },
    IN_DOUBT: {
      next: 'retry',
      about: 'coordination',
      means:
        'gitfleet lock or gitfleet elect ended its command, because the lock or the lead could no longer be confirmed.',
      hint: 'run it again; gitfleet zk status shows whether the ZooKeeper servers answer',
    },
  }) as const satisfies CodeRows;
