import { removeOldAudit, removeOldRecords } from '../fleet/numbered.ts';
import { outcomeOperations } from '../fleet/outcome.ts';
import { type PublishParts, publishOnce } from '../fleet/publish-transaction.ts';
import { recordForeign } from '../fleet/record-deployment.ts';
import type { SharedState } from '../fleet/shared-state.ts';
import type { Clock } from '../runtime/clock.ts';
import { deploymentName, type Outcome } from '../schemas/deployment.ts';
import { encodePermit, encodeRollout, type Rollout } from '../schemas/rollout.ts';
import { targetOf } from '../schemas/target.ts';
import type { CommitId } from '../schemas/values.ts';
import { measureEnsembleTime } from '../zookeeper/recipes/ensemble-time.ts';
import { ANY_VERSION, type Operation } from '../zookeeper/session.ts';
import type { Action, RollBack, RolloutChange } from './action.ts';
import { type Leadership, leaderOf } from './leadership.ts';
import type { Observation } from './observe.ts';

interface ActParts extends PublishParts {
  readonly clock: Clock;
}

/**
 * Performs one action as one transaction: the guard of the term, the version of `rollout` that it was planned from, and
 * then what it changes. So nothing from a replaced leader is accepted, and nothing planned from an old observation.
 * @returns false if there was nothing to write: the same observation would give the same action again.
 * @throws ZooKeeperError BAD_VERSION, NO_NODE (the term is over) and others. Whatever the error, the next observation
 * shows what happened.
 */
export async function act(parts: ActParts, leadership: Leadership, seen: Observation, order: Action): Promise<boolean> {
  switch (order.do) {
    case 'rest':
      return false;
    case 'adopt':
      await adopt(parts, seen);
      return true;
    case 'roll back':
      await rollBack(parts, leadership, seen, order);
      return true;
    case 'start':
      await write(parts, leadership, seen, order);
      await removeOld(parts, seen.state);
      return true;
    default:
      return await write(parts, leadership, seen, order);
  }
}

/**
 * If another client keeps setting config, no rollout may start for a long time; so old records are removed here too.
 */
async function adopt(parts: PublishParts, seen: Observation): Promise<void> {
  await removeOld(parts, await recordForeign(parts, seen.state));
}

/** Publishers may add records but not remove them. What cannot be removed now is removed at the next start. */
async function removeOld({ session, znodes }: PublishParts, { deployments }: SharedState): Promise<void> {
  await Promise.all([removeOldRecords(session, znodes, deployments.last), removeOldAudit(session, znodes)]).catch(
    () => {},
  );
}

/**
 * The first write of a term: from now on, no action of an earlier leader is accepted. Resolves to the ensemble's time.
 */
export async function takeLead(parts: PublishParts, leadership: Leadership, seen: Observation): Promise<number> {
  const { rollout } = seen.picture;
  const data = rollout ? encodeRollout({ ...rollout, leader: leaderOf(leadership) }) : seen.rollout.data;
  const [, written] = await parts.session.transact([
    leadership.term.guard,
    { op: 'set', path: parts.znodes.rollout, data, version: seen.rollout.version },
  ]);
  return written?.stat?.mtime ?? parts.now();
}

async function write(
  parts: ActParts,
  leadership: Leadership,
  seen: Observation,
  order: RolloutChange,
): Promise<boolean> {
  const { session, znodes } = parts;
  const beside = [
    ...(await endOf(parts, order.outcome)),
    ...(await permitOperations(parts, order.grant, seen.state.config.targetVersion)),
    ...order.revoke.map((id): Operation => ({ op: 'remove', path: znodes.permit(id), version: ANY_VERSION })),
  ];
  if (order.rollout === null && beside.length === 0) return false;
  const next = await withInstant(parts, order);
  await session.transact([leadership.term.guard, rolloutOperation(parts, leadership, seen, next), ...beside]);
  return true;
}

/** The instant counts from right before it is written, by the clock that the agents will measure. */
async function withInstant({ session, znodes, clock }: ActParts, order: RolloutChange): Promise<Rollout | null> {
  const { rollout, instantInMs } = order;
  if (rollout === null || instantInMs === null) return rollout;
  const time = await measureEnsembleTime(session, znodes.clock, clock);
  return { ...rollout, activateAt: { at: time.now() + instantInMs, epoch: time.epoch } };
}

function rolloutOperation(
  { znodes }: PublishParts,
  leadership: Leadership,
  { rollout: { version } }: Observation,
  next: Rollout | null,
): Operation {
  if (!next) return { op: 'check', path: znodes.rollout, version };
  const data = encodeRollout({ ...next, leader: leaderOf(leadership) });
  return { op: 'set', path: znodes.rollout, data, version };
}

async function endOf(
  parts: PublishParts,
  ended: { readonly number: number; readonly outcome: Outcome } | null,
): Promise<readonly Operation[]> {
  return ended ? await outcomeOperations(parts, 'coordinator', ended.number, ended.outcome) : [];
}

async function permitOperations(
  { session, znodes, access }: PublishParts,
  grant: readonly string[],
  targetVersion: Parameters<typeof encodePermit>[0],
): Promise<Operation[]> {
  const data = encodePermit(targetVersion);
  return await Promise.all(
    grant.map(async (id): Promise<Operation> => {
      const path = znodes.permit(id);
      const there = await session.exists(path);
      if (there) return { op: 'set', path, data, version: there.version };
      return { op: 'create', path, data, mode: 'persistent', acl: access.of('permit') };
    }),
  );
}

/**
 * A publish with every version checked; config's is the one of the failed target. If anything has changed, nothing
 * happens and the next observation decides again.
 */
async function rollBack(
  parts: PublishParts,
  leadership: Leadership,
  seen: Observation,
  order: RollBack,
): Promise<void> {
  const request = {
    target: targetOf(order.base),
    takesBack: seen.state.config.targetVersion,
    by: `coordinator ${leadership.agentId}`,
    reason: `automatic, after ${deploymentName(order.rollout.deployment)}: ${order.why}`,
    via: 'rollback',
    returnsTo: order.base.deployment,
    quarantines: { commitId: order.commitId as CommitId, reason: order.why },
  } as const;
  const first = [
    leadership.term.guard,
    rolloutOperation(parts, leadership, seen, order.rollout),
    ...(await endOf(parts, order.outcome)),
  ];
  await publishOnce(parts, seen.state, request, first);
}
