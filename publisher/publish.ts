import { readFleet } from '../fleet/fleet-view.ts';
import { forgetOldest, writeOutcome } from '../fleet/history.ts';
import { type Published, type PublishParts, type PublishRequest, publishTarget } from '../fleet/publish-transaction.ts';
import { isRecorded, type SharedState } from '../fleet/shared-state.ts';
import { judge, outcomeOf } from './verdict.ts';

/**
 * The act of publishing: judge the deployment that is current, if nobody did, then publish the next one. The first
 * step is what later makes `rollback` know which deployments were proven although their publishers did not wait.
 * @throws FleetError CONFLICT, HOLD, QUARANTINED, APP_MISSING and what ZooKeeper answers.
 */
export async function publish(parts: PublishParts, since: SharedState, request: PublishRequest): Promise<Published> {
  await settleCurrent(parts, since);
  const published = await publishTarget(parts, since, request);
  await forgetOldest(parts.session, parts.znodes, published.record.number);
  return published;
}

async function settleCurrent(parts: PublishParts, state: SharedState): Promise<void> {
  const record = state.lastRecord;
  if (!record || !isRecorded(state)) return;
  if (record.outcome && record.outcome.state !== 'timed-out') return;
  const fleet = await readFleet(parts.session, parts.znodes);
  const reporting = new Set(fleet.filter((view) => view.report).map((view) => view.agentId));
  const verdict = judge(fleet, reporting, state.config.targetVersion);
  const ended = verdict.state === 'converged' ? 'proven' : verdict.state === 'failed' ? 'failed' : 'superseded';
  await writeOutcome(parts.session, parts.znodes, record.number, outcomeOf(verdict, ended, parts.now(), 'publisher'));
}
