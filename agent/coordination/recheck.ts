import { checkQuarantine } from '../../fleet/admission.ts';
import { classify, FleetError } from '../../runtime/errors.ts';
import { parseQuarantine } from '../../schemas/hold.ts';
import type { Instant } from '../../schemas/records/cutover.ts';
import { targetVersionOf } from '../../schemas/target.ts';
import type { Door } from '../door/door.ts';
import type { WantedTarget } from '../state/wanted.ts';
import { awaitInstant, type SwapStamp } from './await-instant.ts';
import { clearanceOf, policyFor, type RolloutView } from './clearance.ts';
import { type RolloutFeedParts, readRolloutView } from './rollout-feed.ts';

/**
 * The last check before the swap: is the target still the one in config, not quarantined, is this agent cleared, and
 * do its own rules still accept the target? A watch may be late; these reads are made now. While ZooKeeper does not answer, nothing is swapped and what is served
 * stays served. Resolves to the instant to swap at, if all agents of the wave swap together.
 * @throws FleetError QUARANTINED, NO_LONGER_WANTED, NOT_CLEARED, and what the door refuses with.
 */
export async function recheckWanted(
  parts: Pick<RolloutFeedParts, 'session' | 'znodes' | 'agentId' | 'door'>,
  wanted: WantedTarget,
  signal: AbortSignal,
): Promise<Instant | undefined> {
  const { session, znodes } = parts;
  await session.connected(signal);
  const [config, quarantine, view] = await Promise.all([
    session.get(znodes.config),
    session.get(znodes.quarantine),
    readRolloutView(parts),
  ]);
  signal.throwIfAborted();
  if (quarantine) refuseQuarantined(quarantine.data, wanted.target.commitId);
  // After a wipe of ZooKeeper no rollout and no policy hold anything back: what is served stays served.
  const isThere = config !== null && config.data.length > 0;
  if (!isThere) throw notCleared('config, which is empty or gone');
  if (targetVersionOf(config.stat) !== wanted.targetVersion)
    throw superseded('config changed while this release was made ready');
  if (wanted.meanwhile !== undefined) {
    const { commitId, relativePath } = wanted.target;
    const proven = view.base?.target;
    if (proven?.commitId === commitId && proven.relativePath === relativePath) return undefined;
    throw superseded('the last proven target changed while this release was made ready');
  }
  const leave = clearanceOf(wanted.targetVersion, view, policyFor(wanted.target, view));
  if (leave.kind !== 'go') throw notCleared(leave.waitingFor);
  await judgeAgain(parts.door, config.data);
  return leave.at;
}

/** A target may wait for hours for its permit. A key that was removed from the list of signers meanwhile does not count. */
async function judgeAgain(door: Door, config: Buffer): Promise<void> {
  const judged = await door.judge(config);
  if (!judged.ok) throw new FleetError({ ...judged.failure, next: 'wait' });
}

/** An agent waits while a commit is in quarantine: a person may lift it, or another target may come. */
function refuseQuarantined(data: Buffer, commitId: string): void {
  try {
    checkQuarantine(parseQuarantine(data), commitId);
  } catch (error) {
    throw new FleetError({ ...classify(error).toFailure(), next: 'wait' }, { cause: error });
  }
}

const superseded = (reason: string): FleetError => FleetError.of('NO_LONGER_WANTED', reason);

const notCleared = (waitingFor: string): FleetError =>
  FleetError.of('NOT_CLEARED', `the rollout changed right before the swap: it waits for ${waitingFor}`);

/** An agent that wakes later than this after the instant was stopped meanwhile: its view of the rollout may be old. */
const OVERSLEPT_MS = 1_000;

/**
 * The same check, then the wait for the instant, if there is one. Meanwhile a person may have aborted the rollout, or a
 * failure halted it: what the watch has delivered by then counts, and an agent that woke late checks once more.
 */
export async function recheckAndWait(
  parts: Pick<RolloutFeedParts, 'session' | 'znodes' | 'agentId' | 'door' | 'clock'> & { view: () => RolloutView },
  wanted: WantedTarget,
  signal: AbortSignal,
): Promise<SwapStamp | undefined> {
  const { session, znodes, clock } = parts;
  const instant = await recheckWanted(parts, wanted, signal);
  if (instant === undefined) return undefined;
  const stamp = await awaitInstant({ session, path: znodes.clock, clock }, instant, signal);
  const view = parts.view();
  const now = clearanceOf(wanted.targetVersion, view, policyFor(wanted.target, view));
  if (now.kind !== 'go') throw notCleared(now.waitingFor);
  if (stamp().waited && stamp().at - instant.at > OVERSLEPT_MS) await recheckWanted(parts, wanted, signal);
  return stamp;
}
