import { type AgentView, listFleet, readListedFleet } from '../fleet/fleet-view.ts';
import { removeOldRecords } from '../fleet/numbered.ts';
import { writeOutcome } from '../fleet/outcome.ts';
import { type Published, type PublishParts, type PublishRequest, publishTarget } from '../fleet/publish-transaction.ts';
import { isPublished, type SharedState } from '../fleet/shared-state.ts';
import type { Deployment } from '../schemas/deployment.ts';
import { rolloutIn } from './current-rollout.ts';
import { judgeDeployment, outcomeOfVerdict } from './verdict.ts';

/**
 * Publishes, then judges the replaced deployment, if that is still to do, by a picture of the fleet from before the
 * publish. So `rollback` later knows the proven deployments even if their publishers did not wait, including foreign
 * writes; and a refused publish does not judge the current deployment.
 * @throws FleetError CONFLICT, HOLD, QUARANTINED, APP_MISSING, PUBLISH_UNKNOWN and what ZooKeeper answers.
 */
export async function publish(parts: PublishParts, since: SharedState, request: PublishRequest): Promise<Published> {
  const fleet = isJudged(since) ? null : await judgedFleet(parts, since);
  const published = await publishTarget(parts, since, request);
  await tidyUp(parts, published, since, fleet);
  return published;
}

/** Null: a coordinator judges. That is read together with the lists, which are small; the agents only if needed. */
async function judgedFleet(parts: PublishParts, since: SharedState): Promise<readonly AgentView[] | null> {
  const { session, znodes } = parts;
  const [inWaves, list] = await Promise.all([rollsOut(parts, since), listFleet(session, znodes)]);
  return inWaves ? null : (await readListedFleet(session, znodes, list)).agents;
}

/** Whether the deployment in config needs no judgement, or has its final one. */
function isJudged(state: SharedState): boolean {
  return !isPublished(state.config) || hasEnded(state.current);
}

/**
 * In waves, the coordinator judges: all agents may show a deployment that is not proven yet, such as during its soak.
 */
async function rollsOut({ session, znodes }: PublishParts, { config }: SharedState): Promise<boolean> {
  const node = await session.get(znodes.rollout);
  const { rollout, isUnknown } = rolloutIn(node?.data ?? Buffer.alloc(0), config.targetVersion);
  return rollout !== null || isUnknown;
}

const hasEnded = (record: Deployment | null): boolean =>
  record?.outcome != null && record.outcome.state !== 'timed-out' && record.outcome.state !== 'failed';

/**
 * Both in parallel: with a distant ZooKeeper, the round trips take the time. Never throws: the target is published, and
 * a failed clean-up must not turn that into a failure. Each part is waited for, whatever becomes of the other: a
 * publisher may remove no records, and the caller may close the session next.
 */
async function tidyUp(
  parts: PublishParts,
  { record, previous }: Published,
  since: SharedState,
  fleet: readonly AgentView[] | null,
): Promise<void> {
  await Promise.allSettled([
    // The replaced target is the one in `since`, of any writer; otherwise the transaction would have conflicted.
    fleet && previous ? judgeReplaced(parts, previous, since, fleet) : null,
    removeOldRecords(parts.session, parts.znodes, record.number),
  ]);
}

async function judgeReplaced(
  parts: PublishParts,
  replaced: Deployment,
  { config: { targetVersion }, lastRecord, lastOutcome }: SharedState,
  fleet: readonly AgentView[],
): Promise<void> {
  // A server that is gone for good leaves a report about an older target, and is not expected.
  const expected = fleet.filter((view) => view.presence || view.report?.targetVersion === targetVersion);
  const verdict = judgeDeployment(fleet, new Set(expected.map((view) => view.agentId)), targetVersion);
  const ended = verdict.state === 'converged' ? 'proven' : verdict.state === 'failed' ? 'failed' : 'superseded';
  const outcome = outcomeOfVerdict(verdict, ended, parts.now(), 'publisher');
  // `since` does not have the record of a foreign write that was only just adopted.
  const before = replaced === lastRecord ? { record: replaced, version: lastOutcome } : null;
  await writeOutcome(parts, replaced.number, outcome, before);
}
