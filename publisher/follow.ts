import { readFleet } from '../fleet/fleet-view.ts';
import { writeOutcome } from '../fleet/history.ts';
import type { Published } from '../fleet/publish-transaction.ts';
import type { Clock } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import type { Outcome } from '../schemas/deployment.ts';
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
  let verdict: Verdict = judge([], expected, published.targetVersion);
  while (!signal.aborted) {
    let stale: string | null = null;
    let superseded = false;
    try {
      const [config, fleet] = await Promise.all([session.get(znodes.config), readFleet(session, znodes)]);
      superseded = config !== null && targetVersionOf(config.stat) !== published.targetVersion;
      for (const view of fleet) if (view.presence) expected.add(view.agentId);
      verdict = judge(fleet, expected, published.targetVersion);
    } catch (error) {
      stale = classify(error).message;
    }
    const elapsedMs = clock.monotonic() - started;
    const ending = endingOf(verdict, superseded, stale !== null, elapsedMs, timeoutMs);
    if (ending && ending !== 'nobody') {
      const outcome = outcomeOf(verdict, OUTCOME[ending], clock.now(), parts.by);
      // The verdict holds without its record; an outage now must not turn success into failure.
      await writeOutcome(session, znodes, published.record.number, outcome).catch(() => {});
    }
    yield { verdict, elapsedMs, ending, stale };
    if (ending) return;
    await clock.sleep(pollMs(expected.size), signal).catch(() => {});
  }
}

/** With nobody online there is nothing to watch; but agents may just be coming back from a lost session. */
const NOBODY_AFTER_MS = 10_000;

function endingOf(verdict: Verdict, superseded: boolean, stale: boolean, elapsedMs: number, most: number) {
  if (!stale && verdict.state === 'converged') return 'converged';
  if (!stale && superseded) return 'superseded';
  if (!stale && verdict.state === 'failed') return 'failed';
  if (verdict.state === 'nobody') return elapsedMs >= Math.min(most, NOBODY_AFTER_MS) ? 'nobody' : null;
  return elapsedMs >= most ? 'timed-out' : null;
}

/** Four milliseconds of waiting per agent read keeps a large fleet's picture from loading the server. */
const pollMs = (agents: number): number => Math.min(1_000, Math.max(40, 4 * agents));
