import type { Clock } from '../runtime/clock.ts';
import type { Deadline } from './calls.ts';

/** Something that must be over by its deadline. */
export interface Timed {
  readonly deadline: Deadline;
  late(): void;
}

export interface Deadlines {
  /** Calls `late` once `timed` is past its deadline and still watched. */
  watch(timed: Timed): void;
  over(timed: Timed): void;
  /** From now on no timer outlives what is watched: else one may stand by, and keeps the process alive. */
  close(): void;
}

/**
 * The deadlines of all calls of a session on one timer. It is set to the earliest of them and not touched when that
 * call is answered, since nearly every call is: whoever it then finds late is told, and it is set anew for the rest.
 */
export function watchDeadlines(clock: Clock): Deadlines {
  const watched = new Set<Timed>();
  let closed = false;
  let setFor = Number.POSITIVE_INFINITY;
  let cancel = () => {};

  function setTimer(deadline: Deadline): void {
    cancel();
    setFor = deadline;
    cancel = clock.after(Math.max(0, deadline - clock.monotonic()), look);
  }

  function look(): void {
    setFor = Number.POSITIVE_INFINITY;
    const now = clock.monotonic();
    let earliest = Number.POSITIVE_INFINITY;
    for (const timed of watched) {
      if (timed.deadline > now) earliest = Math.min(earliest, timed.deadline);
      else if (watched.delete(timed)) timed.late();
    }
    if (earliest < setFor) setTimer(earliest);
  }

  function rest(): void {
    if (!closed || watched.size > 0) return;
    cancel();
    setFor = Number.POSITIVE_INFINITY;
  }

  return {
    watch(timed) {
      watched.add(timed);
      if (timed.deadline < setFor) setTimer(timed.deadline);
    },
    over(timed) {
      watched.delete(timed);
      if (closed) rest();
    },
    close() {
      closed = true;
      rest();
    },
  };
}
