import type { Clock } from './clock.ts';

/** When a call must have ended, by the monotonic clock. */
export type Deadline = number;

/** Something that must end by its deadline. `before` and `after` belong to the list in watchDeadlines. */
export interface Timed {
  readonly deadline: Deadline;
  late(): void;
  before: Timed | undefined;
  after: Timed | undefined;
}

export interface Deadlines {
  /** Calls `late` when `timed` passes its deadline, unless it is over before. */
  watch(timed: Timed): void;
  /** Also legal if it is not watched. */
  over(timed: Timed): void;
  /** From now on, no timer keeps the process alive once nothing is watched. Before, one may. */
  close(): void;
}

/**
 * The deadlines of all calls of a session, on one timer. It is set for the earliest deadline and stays when that call
 * is answered, as nearly all are. When it fires, late calls are notified, and it is set again for the others. The calls
 * form a linked list: a Set with constant additions and removals reallocates its table, and the old tables keep their
 * entries alive through the garbage collector's generations.
 */
export function watchDeadlines(clock: Clock): Deadlines {
  let newest: Timed | undefined;
  let closed = false;
  let setFor = Number.POSITIVE_INFINITY;
  let cancel = () => {};

  function watch(timed: Timed): void {
    timed.before = newest;
    if (newest) newest.after = timed;
    newest = timed;
    if (timed.deadline < setFor) setTimer(timed.deadline);
  }

  function over(timed: Timed): void {
    const { before, after } = timed;
    if (after) after.before = before;
    else if (newest === timed) newest = before;
    if (before) before.after = after;
    timed.before = undefined;
    timed.after = undefined;
    rest();
  }

  function setTimer(deadline: Deadline): void {
    cancel();
    setFor = deadline;
    cancel = clock.after(Math.max(0, deadline - clock.monotonic()), look);
  }

  function look(): void {
    setFor = Number.POSITIVE_INFINITY;
    const now = clock.monotonic();
    const late: Timed[] = [];
    let earliest = Number.POSITIVE_INFINITY;
    for (let timed = newest; timed; timed = timed.before) {
      if (timed.deadline <= now) late.push(timed);
      else earliest = Math.min(earliest, timed.deadline);
    }
    if (earliest < setFor) setTimer(earliest);
    for (const timed of late.toReversed()) {
      const stillWatched = timed === newest || timed.after;
      if (!stillWatched) continue; // A call notified before has ended it.
      over(timed);
      timed.late();
    }
  }

  function rest(): void {
    if (!closed || newest) return;
    cancel();
    setFor = Number.POSITIVE_INFINITY;
  }

  return {
    watch,
    over,
    close() {
      closed = true;
      rest();
    },
  };
}
