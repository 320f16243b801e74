import { readFleet } from '../fleet/fleet-view.ts';
import { writeOutcome } from '../fleet/history.ts';
import type { Published } from '../fleet/publish-transaction.ts';
import { isRecorded, readSharedState } from '../fleet/shared-state.ts';
import type { Clock } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import type { Deployment, Outcome } from '../schemas/deployment.ts';
import { targetVersionOf } from '../schemas/target.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import { judge, outcomeOf, type Verdict } from './verdict.ts';

export interface FollowParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly clock: Clock;
  /** Who judges, for the record. */
  readonly by: string;
}

export type Ending = 'converged' | 'failed' | 'superseded' | 'timed-out' | 'nobody';

export interface Progress {
  readonly verdict: Verdict;
  readonly elapsedMs: number;
  /** Null while it goes on. */
  readonly ending: Ending | null;
  /** Set while ZooKeeper does not answer: what is shown is what was last known. */
  readonly stale: string | null;
  /** What came instead, where it was superseded and that has a record. */
  readonly supersededBy: Deployment | null;
}

const OUTCOME: Record<Exclude<Ending, 'nobody'>, Outcome['state']> = {
  converged: 'proven',
  failed: 'failed',
  superseded: 'superseded',
  'timed-out': 'timed-out',
};

/**
 * Follows one deployment until the fleet has settled, something newer was published, or the time is up; then writes the
 * outcome. Yields on every look; the last item carries the ending. Reads by polling: a publisher is rare and short, and
 * agents keep a constant number of watches. An outage of ZooKeeper only makes the picture stale.
 */
export async function* follow(
  parts: FollowParts,
  published: Pick<Published, 'targetVersion' | 'record'>,
  timeoutMs: number,
  signal: AbortSignal,
): AsyncGenerator<Progress> {
  const { session, znodes, clock } = parts;
  const started = clock.monotonic();
  const expected = new Set<string>();
  let freshSince: number | null = null;
  let verdict: Verdict = judge([], expected, published.targetVersion);
  while (!signal.aborted) {
    let stale: string | null = null;
    let superseded = false;
    try {
      const [config, fleet] = await Promise.all([session.get(znodes.config), readFleet(session, znodes)]);
      superseded = config !== null && targetVersionOf(config.stat) !== published.targetVersion;
      for (const view of fleet) {
        // Whoever spoke of this target was there after it was published, also before we looked.
        if (view.presence || view.report?.targetVersion === published.targetVersion) expected.add(view.agentId);
      }
      verdict = judge(fleet, expected, published.targetVersion);
      freshSince ??= clock.monotonic();
    } catch (error) {
      stale = classify(error).message;
      freshSince = null;
    }
    const now = clock.monotonic();
    const elapsedMs = now - started;
    const picture = { verdict, superseded, freshMs: freshSince === null ? null : now - freshSince };
    const ending = endingOf(picture, elapsedMs, timeoutMs);
    if (ending && ending !== 'nobody') {
      const outcome = outcomeOf(verdict, OUTCOME[ending], clock.now(), parts.by);
      // The verdict holds without its record; an outage now must not turn success into failure.
      await writeOutcome(session, znodes, published.record.number, outcome).catch(() => {});
    }
    const supersededBy = ending === 'superseded' ? await readCurrent(parts) : null;
    yield { verdict, elapsedMs, ending, stale, supersededBy };
    if (ending) return;
    await clock.sleep(pollMs(expected.size), signal).catch(() => {});
  }
}

/** With nobody online there is nothing to watch; but agents may just be coming back from a lost session. */
const NOBODY_AFTER_MS = 10_000;

interface Picture {
  readonly verdict: Verdict;
  readonly superseded: boolean;
  /** For how long ZooKeeper has answered without a gap; null: it does not, and nothing can be told but the time. */
  readonly freshMs: number | null;
}

function endingOf({ verdict, superseded, freshMs }: Picture, elapsedMs: number, most: number): Ending | null {
  const late = elapsedMs >= most;
  if (freshMs === null) return late ? 'timed-out' : null;
  if (verdict.state === 'converged') return 'converged';
  if (superseded) return 'superseded';
  if (verdict.state === 'failed') return 'failed';
  if (verdict.state === 'nobody') return late || freshMs >= NOBODY_AFTER_MS ? 'nobody' : null;
  return late ? 'timed-out' : null;
}

/** The deployment that config shows now; null where a foreign writer set it, or it cannot be read. */
async function readCurrent({ session, znodes }: FollowParts): Promise<Deployment | null> {
  const state = await readSharedState(session, znodes).catch(() => null);
  return state && isRecorded(state) ? state.lastRecord : null;
}

/** Four milliseconds of waiting per agent read keeps a large fleet's picture from loading the server. */
const pollMs = (agents: number): number => Math.min(1_000, Math.max(40, 4 * agents));
