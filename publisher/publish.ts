import { type AgentView, readFleet } from '../fleet/fleet-view.ts';
import { removeOldRecords } from '../fleet/numbered.ts';
import { writeOutcome } from '../fleet/outcome.ts';
import { type Published, type PublishParts, type PublishRequest, publishTarget } from '../fleet/publish-transaction.ts';
import { isPublished, type SharedState } from '../fleet/shared-state.ts';
import type { Deployment } from '../schemas/deployment.ts';
import { parseRollout } from '../schemas/rollout.ts';
import { judgeDeployment, outcomeOfVerdict } from './verdict.ts';

/**
 * The act of publishing: publish, then judge the deployment that this replaced, if it is not judged yet, by the picture
 * from before it. So `rollback` later knows which deployments were proven although their publishers did not wait, foreign
 * writes included; and a publish that is refused says nothing about the current deployment.
 * @throws FleetError CONFLICT, HOLD, QUARANTINED, APP_MISSING, PUBLISH_UNKNOWN and what ZooKeeper answers.
 */
export async function publish(parts: PublishParts, since: SharedState, request: PublishRequest): Promise<Published> {
  const judged = isJudged(since) || (await rollsOut(parts, since));
  const fleet = judged ? null : await readFleet(parts.session, parts.znodes);
  const published = await publishTarget(parts, since, request);
  // It is published: what is only tidied up after it must not turn that into a failure.
  await tidyUp(parts, published, since, fleet).catch(() => {});
  return published;
}

/** Whether nothing is left to be said about what config holds. */
function isJudged(state: SharedState): boolean {
  return !isPublished(state.config) || hasEnded(state.current);
}

/** In waves the coordinator has the word: all agents may show what is not proven yet, as while it soaks. */
async function rollsOut({ session, znodes }: PublishParts, { config }: SharedState): Promise<boolean> {
  const node = await session.get(znodes.rollout);
  const rollout = node && parseRollout(node.data);
  return rollout?.permits === true && rollout.targetVersion === config.targetVersion;
}

const hasEnded = (record: Deployment | null): boolean =>
  record?.outcome != null && record.outcome.state !== 'timed-out' && record.outcome.state !== 'failed';

async function tidyUp(
  parts: PublishParts,
  { record, previous }: Published,
  { config }: SharedState,
  fleet: readonly AgentView[] | null,
): Promise<void> {
  // What was replaced is what `since` saw in config, any writer's: else the transaction had been a conflict.
  if (fleet && previous) await judgeReplaced(parts, previous, config.targetVersion, fleet);
  await removeOldRecords(parts.session, parts.znodes, record.number);
}

async function judgeReplaced(
  parts: PublishParts,
  replaced: Deployment,
  targetVersion: string,
  fleet: readonly AgentView[],
): Promise<void> {
  // A server that is gone for good leaves its last report behind, about an older target: it is not waited for.
  const expected = fleet.filter((view) => view.presence || view.report?.targetVersion === targetVersion);
  const verdict = judgeDeployment(fleet, new Set(expected.map((view) => view.agentId)), targetVersion);
  const ended = verdict.state === 'converged' ? 'proven' : verdict.state === 'failed' ? 'failed' : 'superseded';
  await writeOutcome(parts, replaced.number, outcomeOfVerdict(verdict, ended, parts.now(), 'publisher'));
}
