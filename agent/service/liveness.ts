import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { AgentListener } from '../events.ts';
import type { Rest } from '../plan.ts';
import type { Notifier } from './notify.ts';

/**
 * Whether the agent's loops are alive. Each loop leaves a beat whenever it makes progress. The beat says what the loop
 * waits for next and how long that may take at most. So a wait for something outside (ZooKeeper, an origin, a person)
 * is a sign of life, however long. A loop that is past its own bound is stuck, and only a new process helps: the
 * service manager's watchdog is no longer fed.
 */
export interface Liveness {
  /** Takes the pulse of the agent's loop: every pass emits an event. */
  readonly listener: AgentListener;
  readonly beats: ReadonlyMap<string, Beat>;
  /** One line: what the agent does or waits for. */
  readonly status: () => string;
  /** Records a beat of another loop. */
  beat(loop: string, waitsFor: string, maxMs: number | null): void;
}

export interface Beat {
  /** Monotonic ms. */
  readonly at: number;
  readonly waitsFor: string;
  /** Null: as long as it takes. */
  readonly maxMs: number | null;
}

/** A loop that is past its bound. */
interface Stuck {
  readonly loop: string;
  readonly waitsFor: string;
  readonly sinceMs: number;
  readonly maxMs: number;
}

interface LivenessParts {
  readonly clock: Clock;
  /** The longest rest of the loop between two passes, ms. */
  readonly restMs: () => number;
  /** Called at the first pass of the loop. */
  readonly onFirstPass: () => void;
  /** Called when `status` changes. */
  readonly onStatus: () => void;
}

/**
 * The bound for what the loop does besides actions and rests: it reads the disk, which may be slow, and writes the
 * journal.
 */
const LOOK_MS = 5 * 60_000;
/**
 * Commands, fetches and health checks have deadlines of their own, which the settings or the commit choose. Work on
 * files ends without a deadline. This bound only has to be longer than all of them.
 */
const ACTION_MS = 24 * 3_600_000;

const LOOP = 'deployment';

export function createLiveness(parts: LivenessParts): Liveness {
  const beats = new Map<string, Beat>();
  let status = '';
  let passed = false;
  let resting = 'a change';

  const beat = (loop: string, waitsFor: string, maxMs: number | null) =>
    void beats.set(loop, { at: parts.clock.monotonic(), waitsFor, maxMs });

  function pulse(waitsFor: string, maxMs: number, words: string | null = null): void {
    beat(LOOP, waitsFor, maxMs);
    if (!passed) parts.onFirstPass();
    passed = true;
    if (words === null || words === status) return;
    status = words;
    parts.onStatus();
  }

  return {
    beats,
    status: () => status,
    beat,
    listener: {
      begun: () => pulse('its own files', LOOK_MS),
      working({ wanted, action }) {
        pulse(action, ACTION_MS, `${action} ${wanted.target.commitId.slice(0, 10)}`);
      },
      done: () => pulse('its own files', LOOK_MS),
      failed: () => pulse('its own files', LOOK_MS),
      reverting({ reversal }) {
        pulse('the steps after a failure', ACTION_MS, `reverting after ${reversal.code}`);
      },
      rest({ because, journal }) {
        resting = waitOf(because);
        pulse(resting, parts.restMs() + LOOK_MS, statusOf(because, journal.progress?.commitId));
      },
      maintenance({ state }) {
        if (state === 'begins') beat(LOOP, 'maintenance', ACTION_MS);
        else beat(LOOP, resting, parts.restMs() + LOOK_MS);
      },
    },
  };
}

/** The loop that is furthest past its bound; null: all are alive. Pure. @param now monotonic ms. */
export function findStuck(beats: ReadonlyMap<string, Beat>, now: number): Stuck | null {
  const stuck = [...beats].flatMap(([loop, { at, waitsFor, maxMs }]) => {
    const sinceMs = now - at;
    return maxMs !== null && sinceMs > maxMs ? [{ loop, waitsFor, sinceMs, maxMs }] : [];
  });
  return stuck.toSorted((a, b) => b.sinceMs - b.maxMs - (a.sinceMs - a.maxMs))[0] ?? null;
}

interface WatchdogParts {
  readonly notifier: Notifier;
  readonly beats: ReadonlyMap<string, Beat>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Feeds the service manager's watchdog while no loop is stuck, three times per period, so that one lost message does no
 * harm. A blocked event loop feeds nothing anyway. Returns a function that ends it.
 * @param watchdogMs the manager's WatchdogSec.
 */
export function feedWatchdog(parts: WatchdogParts, watchdogMs: number): () => void {
  let cancel = () => {};
  let starved = false;

  function feed(): void {
    const stuck = findStuck(parts.beats, parts.clock.monotonic());
    if (!stuck) void parts.notifier.tell('WATCHDOG=1');
    else if (!starved) {
      parts.log.fatal({ ...stuck }, `the ${stuck.loop} loop is stuck: the watchdog is not fed and restarts this agent`);
      void parts.notifier.tell(`STATUS=stuck: the ${stuck.loop} loop waits for ${stuck.waitsFor}`);
    }
    starved = stuck !== null;
    cancel = parts.clock.after(watchdogMs / 3, feed);
  }

  feed();
  return () => cancel();
}

const isWait = (because: Rest): because is Extract<Rest, { waitingFor: string }> =>
  because.kind === 'waiting' || because.kind === 'awaiting';
const waitOf = (because: Rest): string => (isWait(because) ? because.waitingFor : 'a change');

function statusOf(because: Rest, commitId: string | undefined): string {
  if (isWait(because)) return `waiting for ${because.waitingFor}`;
  if (because.kind === 'suspended') return `suspended by ${because.suspension.by}`;
  if (because.kind === 'failed') return `${because.failure.code}: ${because.failure.reason}`;
  return `serves ${commitId?.slice(0, 10) ?? 'nothing yet'}`;
}
