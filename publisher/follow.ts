import { type AgentView, createFleetReader, type Fleet } from '../fleet/fleet-view.ts';
import { readDeployment } from '../fleet/history.ts';
import { type OutcomeParts, writeOutcome } from '../fleet/outcome.ts';
import type { Published } from '../fleet/publish-transaction.ts';
import { readSharedState } from '../fleet/shared-state.ts';
import type { Clock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import type { Deployment, Outcome } from '../schemas/deployment.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { targetVersionOf } from '../schemas/target.ts';
import type { NodeData } from '../zookeeper/session.ts';
import {
  ENDING_OF_STATE,
  type NextCommands,
  type RolloutStatus,
  readRolloutStatus,
  ruledBy,
} from './current-rollout.ts';
import { ANSWER_MS, createFreshness, REDRAW_MS, type Stale, within } from './freshness.ts';
import { findWayBack } from './rollback.ts';
import { type Ending, judgeDeployment, outcomeOfVerdict, type Verdict } from './verdict.ts';

interface FollowParts extends OutcomeParts {
  readonly clock: Clock;
  /** Who judges, for the record. */
  readonly by: string;
}

export interface DeploymentProgress extends NextCommands {
  readonly verdict: Verdict;
  readonly elapsedMs: number;
  /** Null while it continues. */
  readonly ending: Ending | null;
  /** Set once ZooKeeper has not answered for ANSWER_MS: the rest is the last known state. */
  readonly stale: Stale | null;
  /** The deployment that superseded it, if that has a record. */
  readonly supersededBy: Deployment | null;
  /** Its rollout in waves; null: there is no policy, or no coordinator has begun it. */
  readonly rollout: Rollout | null;
  /** Why it ended, if the coordinator says so. */
  readonly reason: string;
}

/** The outcomes that we write if no coordinator judges. */
const OUTCOME: Partial<Record<Ending, Outcome['state']>> = {
  converged: 'proven',
  failed: 'failed',
  superseded: 'superseded',
  'timed-out': 'timed-out',
};

/** Endings that a person may want to undo: config still holds the target. */
const ENDED_BADLY: ReadonlySet<Ending> = new Set(['failed', 'halted', 'aborted']);

/**
 * Follows one deployment until the fleet has settled, something newer was published, or the time is up. If it rolls out
 * in waves, the coordinator decides; otherwise we judge from the reports, and write the outcome. A rollout in a state
 * that only a newer version knows is left to that version: we end when it is superseded or the time is up. Yields at
 * every reading; the last item has the ending. Reads by polling: publishers are rare and short-lived, and so the number
 * of watches stays constant. An outage of ZooKeeper only makes the picture stale: while a read hangs, the last picture
 * is yielded again every REDRAW_MS, and the time limit still applies.
 */
export async function* follow(
  parts: FollowParts,
  published: Pick<Published, 'targetVersion' | 'record'>,
  timeoutMs: number,
  signal: AbortSignal,
): AsyncGenerator<DeploymentProgress> {
  const { clock } = parts;
  const started = clock.monotonic();
  const expected = new Set<string>();
  let freshSince: number | null = null;
  let verdict: Verdict = judgeDeployment([], expected, published.targetVersion);
  let led: RolloutStatus = { rollout: null, isUnknown: false, isLed: false };
  const freshness = createFreshness(clock);
  const readFleet = createFleetReader(parts.session, parts.znodes);
  let looking: Promise<Look> | null = null;
  while (!signal.aborted) {
    let superseded = false;
    let waits = false;
    looking ??= look(parts, published.targetVersion, readFleet);
    try {
      const answer = await within(clock, REDRAW_MS, looking);
      waits = answer === null;
      if (answer) {
        looking = null;
        freshness.seen();
        const { config, fleet, found } = answer;
        // Once the rollout names another target, its last state for this one stands.
        led = found.rollout ? found : { ...led, isUnknown: found.isUnknown || led.isUnknown, isLed: found.isLed };
        superseded = config !== null && targetVersionOf(config.stat) !== published.targetVersion;
        for (const view of fleet) {
          // An agent that reported about this target was online after its publish, even if we did not see it online.
          if (view.presence || view.report?.targetVersion === published.targetVersion) expected.add(view.agentId);
        }
        verdict = judgeDeployment(fleet, expected, published.targetVersion);
        freshSince ??= clock.monotonic();
      }
    } catch (error) {
      looking = null;
      freshness.failed(error);
      freshSince = null;
    }
    const stale = freshness.stale();
    if (stale) freshSince = null;
    const now = clock.monotonic();
    const elapsedMs = now - started;
    const ruled = ruledBy(led);
    const { isUnknown } = led;
    const freshMs = waits || freshSince === null ? null : now - freshSince;
    const picture = { verdict, superseded, ruled, isUnknown, freshMs };
    const { ending, reason } = await rolledBackOr(parts, published, endingOf(picture, elapsedMs, timeoutMs), led);
    if (ending && ((!ruled && !isUnknown) || ending === 'timed-out')) {
      const written = record(parts, published, verdict, ending);
      await (stale ? within(clock, ANSWER_MS, written) : written);
    }
    const replaced = ending === 'superseded' || ending === 'rolled-back';
    const supersededBy = replaced ? await readCurrent(parts) : null;
    const wayBack = ending && ENDED_BADLY.has(ending) && !stale ? await findWayBack(parts.session, parts.znodes) : null;
    const told = { verdict, elapsedMs, ending, stale, supersededBy, wayBack, reason };
    yield { ...told, rollout: led.rollout, isLed: led.isLed };
    if (ending) return;
    if (!waits) await clock.sleep(pollMs(expected.size), signal).catch(() => {});
  }
}

/** The verdict holds even if it cannot be recorded: an outage now must not turn success into failure. */
async function record(
  parts: FollowParts,
  published: Pick<Published, 'record'>,
  verdict: Verdict,
  ending: Ending,
): Promise<void> {
  const outcome = OUTCOME[ending];
  if (!outcome) return;
  const judged = outcomeOfVerdict(verdict, outcome, parts.clock.now(), parts.by);
  await writeOutcome(parts, published.record.number, judged).catch(() => {});
}

interface Look {
  readonly config: NodeData | null;
  readonly fleet: readonly AgentView[];
  readonly found: RolloutStatus;
}

/** @throws FleetError if ZooKeeper is away or refuses. */
async function look(
  { session, znodes }: FollowParts,
  targetVersion: string,
  readFleet: () => Promise<Fleet>,
): Promise<Look> {
  // A read would only wait for a connection, up to its deadline.
  if (session.state !== 'connected') throw notConnected();
  const [config, { agents: fleet }, found] = await Promise.all([
    session.get(znodes.config),
    readFleet(),
    readRolloutStatus(session, znodes, targetVersion),
  ]);
  return { config, fleet, found };
}

const notConnected = (): FleetError =>
  FleetError.of('UNREACHABLE', 'the connection is lost', 'gitfleet reconnects automatically');

/** Without an online agent there is nothing to watch, but agents may be coming back from a lost session. */
const NO_AGENTS_AFTER_MS = 10_000;

/** What superseded the deployment may be its own rollback; its outcome says so. */
async function rolledBackOr(
  parts: FollowParts,
  { record }: Pick<Published, 'record'>,
  ending: Ending | null,
  { rollout }: RolloutStatus,
): Promise<{ ending: Ending | null; reason: string }> {
  if (ending !== 'superseded') return { ending, reason: ending ? (rollout?.reason ?? '') : '' };
  const outcome = (await readDeployment(parts.session, parts.znodes, record.number).catch(() => null))?.outcome;
  if (outcome?.state === 'rolled-back') return { ending: 'rolled-back', reason: outcome.reason ?? '' };
  // If the coordinator could not write an outcome, the next record names its author and the previous deployment.
  const next = outcome ? null : await readCurrent(parts);
  const isWayBack = next?.via === 'rollback' && next.previous === record.number && next.by.startsWith('coordinator ');
  return isWayBack ? { ending: 'rolled-back', reason: next.reason } : { ending, reason: '' };
}

interface Picture {
  readonly verdict: Verdict;
  readonly superseded: boolean;
  readonly ruled: Rollout | null;
  readonly isUnknown: boolean;
  /** How long ZooKeeper has answered without a gap; null: it does not answer, and only the time can end the wait. */
  readonly freshMs: number | null;
}

function endingOf(picture: Picture, elapsedMs: number, most: number): Ending | null {
  const { verdict, superseded, ruled, isUnknown, freshMs } = picture;
  const late = elapsedMs >= most;
  if (freshMs === null) return late ? 'timed-out' : null;
  const ended = ruled ? ENDING_OF_STATE[ruled.state] : undefined;
  if (ruled || isUnknown) return ended ?? (superseded ? 'superseded' : late ? 'timed-out' : null);
  if (verdict.state === 'converged') return 'converged';
  if (superseded) return 'superseded';
  if (verdict.state === 'failed') return 'failed';
  if (verdict.state === 'no-agents') return late || freshMs >= NO_AGENTS_AFTER_MS ? 'no-agents' : null;
  return late ? 'timed-out' : null;
}

/** The deployment in config now; null if a foreign writer set config, or it cannot be read. */
async function readCurrent({ session, znodes }: FollowParts): Promise<Deployment | null> {
  const state = await readSharedState(session, znodes).catch(() => null);
  return state?.current ?? null;
}

/** Four milliseconds of pause per agent, so that reading a large fleet does not overload the server. */
const pollMs = (agents: number): number => Math.min(1_000, Math.max(40, 4 * agents));
