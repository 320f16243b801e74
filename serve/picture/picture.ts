import { classify } from '../../runtime/errors.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { Alive } from '../api/shapes.ts';
import { differenceOf, type StateDifference } from './difference.ts';
import { fold } from './fold.ts';
import { keepFreshness } from './freshness.ts';
import type { ReadParts } from './keep-znode.ts';
import { readApp } from './read-app.ts';
import type { Seen } from './seen.ts';
import type { State } from './state.ts';

/** Changes within this time are one delta. */
const COALESCE_MS = 250;
/** How often staleness is looked at, and how many looks make a sign of life. */
const LOOK_MS = 250;
const LOOKS = 4;
/** A hold may end without a write: folded again after so many looks. */
const FOLD_LOOKS = 20;

const NOT_READ = 'it has not been read yet';

/** One change of the state. */
export interface StateChange {
  /** Counted from 1 since this process began. */
  readonly sequence: number;
  readonly state: State;
  /** Null for the first state. */
  readonly difference: StateDifference | null;
}

/** What happens to the picture, for everything that shows or tells it. */
export interface PictureListener {
  changed(change: StateChange): void;
  /** Each second, and at once when ZooKeeper is lost or found again. */
  alive(alive: Alive): void;
}

export interface Picture {
  /** The last state; null until it was read once. */
  current(): StateChange | null;
  /** The reading behind it, for answers about one agent or service. */
  seen(): Seen | null;
  freshness(): Alive;
  /** The returned function removes the listener. */
  listen(listener: PictureListener): () => void;
}

/**
 * The shared state of one app, read by one session for all viewers. Guarantee: what is read and folded costs the same
 * for one viewer as for a thousand; each state is a new value that nothing changes afterwards; changes within 250 ms are
 * one. When ZooKeeper is away, the last state stays and `freshness` says since when. It writes nothing but the time
 * (freshness.ts).
 */
export function openPicture(parts: ReadParts, znodes: Znodes, signal: AbortSignal): Picture {
  const { clock } = parts;
  const listeners = new Set<PictureListener>();
  let change: StateChange | null = null;
  let cancelFold: (() => void) | null = null;
  let trouble: string | null = NOT_READ;
  const onFailure = (error: unknown) => {
    if (change === null) trouble = `${NOT_READ}: ${classify(error).message}`;
  };
  const seen = readApp({ ...parts, onFailure }, znodes, soon, signal);
  const freshness = keepFreshness(parts, znodes, () => trouble, tellTurned, signal);

  function soon(): void {
    if (!signal.aborted) cancelFold ??= clock.after(change === null ? 10 : COALESCE_MS, foldNow);
  }

  function foldNow(): void {
    cancelFold = null;
    const found = seen();
    const state = found && !signal.aborted ? foldSafely(found) : null;
    if (state === null) return;
    const difference = change && differenceOf(change.state, state);
    if (change !== null && difference === null) return;
    change = { sequence: (change?.sequence ?? 0) + 1, state, difference };
    for (const listener of listeners) safely(() => listener.changed(change as StateChange));
  }

  /** A bug in it must not end the server, which would meet the same state again. */
  function foldSafely(found: Seen): State | null {
    let state: State | null = null;
    safely(() => {
      state = fold(found, freshness.now().now);
    });
    trouble = state === null ? 'the state cannot be shown: see the log of the server' : null;
    return state;
  }

  function safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      parts.log.error({ err: classify(error) }, 'a bug: the state, or what is made of it, failed');
    }
  }

  function tellTurned(): void {
    if (freshness.hasTurned()) tell();
  }

  function tell(): void {
    const alive = freshness.now();
    for (const listener of listeners) safely(() => listener.alive(alive));
  }

  let cancelBeat = () => {};
  let looks = 0;
  const look = (): void => {
    cancelBeat = clock.after(LOOK_MS, look);
    looks += 1;
    if (freshness.hasTurned() || looks % LOOKS === 0) tell();
    if (looks % FOLD_LOOKS === 0) soon();
  };
  cancelBeat = clock.after(LOOK_MS, look);
  signal.addEventListener('abort', () => {
    cancelBeat();
    cancelFold?.();
  });

  return {
    current: () => change,
    seen,
    freshness: freshness.now,
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
