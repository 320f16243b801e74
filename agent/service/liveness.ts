import type { Clock } from '../../runtime/clock.ts';
import type { StatusReporter } from '../coordination/status-report.ts';
import type { Maintenance } from '../maintenance.ts';
import type { Rest } from '../plan.ts';
import type { Beat } from './beats.ts';

export interface Liveness {
  readonly beats: ReadonlyMap<string, Beat>;
  /** One line: what the agent does or waits for. */
  readonly status: () => string;
  /** The same reporter, with a beat at each turn of the agent's loop. */
  watchStatus(inner: StatusReporter): StatusReporter;
  /** The same maintenance, with beats around each task. */
  maintenance(inner: Maintenance): Maintenance;
  /** A loop of somebody else's gets on. */
  beat(loop: string, waitsFor: string, maxMs: number | null): void;
}

interface LivenessParts {
  readonly clock: Clock;
  /** The longest that the loop rests between two looks, ms. */
  readonly restMs: () => number;
  /** Called at the first turn of the loop. */
  readonly onFirstTurn: () => void;
  /** Called where `status` is another one. */
  readonly onStatus: () => void;
}

/** What the loop does besides steps and rests: looks at the disk, which may be slow, and writes the journal. */
const LOOK_MS = 5 * 60_000;
/**
 * Commands, fetches and health checks have deadlines of their own, which the settings or the commit choose; work on files ends
 * by itself. This is only beyond all of them.
 */
const STEP_MS = 24 * 3_600_000;

const LOOP = 'deployment';

/**
 * Takes the pulse of the agent's loop from outside: whatever a turn does, it tells the reporter of it.
 */
export function createLiveness(parts: LivenessParts): Liveness {
  const beats = new Map<string, Beat>();
  let status = '';
  let turned = false;
  let resting = 'a change';

  const beat = (loop: string, waitsFor: string, maxMs: number | null) =>
    void beats.set(loop, { at: parts.clock.monotonic(), waitsFor, maxMs });

  function turn(waitsFor: string, maxMs: number, words: string | null): void {
    beat(LOOP, waitsFor, maxMs);
    if (!turned) parts.onFirstTurn();
    turned = true;
    if (words === null || words === status) return;
    status = words;
    parts.onStatus();
  }

  async function background(work: () => Promise<number>): Promise<number> {
    beat(LOOP, 'work in the background', STEP_MS);
    const inMs = await work();
    beat(LOOP, resting, parts.restMs() + LOOK_MS);
    return inMs;
  }

  return {
    beats,
    status: () => status,
    beat,
    watchStatus: (inner) => ({
      ...inner,
      begin(wanted) {
        turn('its own files', LOOK_MS, null);
        inner.begin(wanted);
      },
      working(wanted, step, journal) {
        const commit = wanted.kind === 'target' ? ` ${wanted.target.commitId.slice(0, 10)}` : '';
        turn(step, STEP_MS, `${step}${commit}`);
        inner.working(wanted, step, journal);
      },
      reverting(failed) {
        turn('the steps after a failure', STEP_MS, `clearing up after ${failed.code}`);
        inner.reverting(failed);
      },
      done(wanted, step, ms) {
        turn('its own files', LOOK_MS, null);
        inner.done(wanted, step, ms);
      },
      failed(wanted, step, failure, attempts) {
        turn('its own files', LOOK_MS, null);
        inner.failed(wanted, step, failure, attempts);
      },
      rest(wanted, because, journal) {
        resting = waitOf(because);
        turn(resting, parts.restMs() + LOOK_MS, statusOf(because, journal.progress?.commitId));
        inner.rest(wanted, because, journal);
      },
    }),
    maintenance: (inner) => ({
      next: (active, settledFor, signal) => background(() => inner.next(active, settledFor, signal)),
      watch: (served, signal, drift) => background(() => inner.watch(served, signal, drift)),
    }),
  };
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
