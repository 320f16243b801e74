import type { Clock } from './clock.ts';

/** When a public call must have answered, as a point of the monotonic clock. */
export type Deadline = number;

/** Something that must be over by its deadline. The links are the watch's own. */
export interface Timed {
  readonly deadline: Deadline;
  late(): void;
  before: Timed | undefined;
  after: Timed | undefined;
}

export interface Deadlines {
  /** Calls `late` once `timed` is past its deadline and still watched. */
  watch(timed: Timed): void;
  /** Legal also where it is not watched. */
  over(timed: Timed): void;
  /** From now on no timer outlives what is watched: else one may stand by, and keeps the process alive. */
  close(): void;
}

/**
 * The deadlines of all calls of a session on one timer. It is set to the earliest of them and not touched when that
 * call is answered, since nearly every call is: the calls that it then finds late are told, and it is set again for the rest.
 * They hang in a list through themselves: a Set that one joins and leaves again and again makes a new table now and
 * then, and the old ones chain what was in them through the garbage collector's generations.
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
      if (!stillWatched) continue; // One that was told before it has ended it.
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
