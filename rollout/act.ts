import { forgetOldest, outcomeWrite } from '../fleet/history.ts';
import { type PublishParts, publishOnce, recordForeign } from '../fleet/publish-transaction.ts';
import { deploymentName, type Outcome } from '../schemas/deployment.ts';
import { encodePermit, encodeRollout, type Rollout } from '../schemas/rollout.ts';
import { targetOf } from '../schemas/target.ts';
import type { CommitId } from '../schemas/values.ts';
import { ANY_VERSION, type Operation } from '../zookeeper/session.ts';
import type { Action, RollBack, RolloutChange } from './action.ts';
import { type Leadership, leaderOf } from './leadership.ts';
import type { Observation } from './observe.ts';

/**
 * Carries out one order as one transaction: the guard of the term, the version of `rollout` that it was planned from,
 * and then what it changes. So nothing of a leader that was replaced is accepted, and nothing planned from an old view.
 * @throws ZooKeeperError BAD_VERSION, NO_NODE (the term is over) and others; whatever it says, the next look tells.
 */
export async function act(
  parts: PublishParts,
  leadership: Leadership,
  seen: Observation,
  order: Action,
): Promise<void> {
  switch (order.do) {
    case 'rest':
      return;
    case 'adopt':
      return await adopt(parts, seen);
    case 'roll back':
      return await rollBack(parts, leadership, seen, order);
    default:
      return await write(parts, leadership, seen, order);
  }
}

/** No publisher comes by where another client sets config, so the records beyond the newest go here. */
async function adopt(parts: PublishParts, seen: Observation): Promise<void> {
  const { deployments } = await recordForeign(parts, seen.state);
  await forgetOldest(parts.session, parts.znodes, deployments.last);
}

/** The first write of a term: from now on no order of an earlier leader is accepted. Resolves to the ensemble's time. */
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
  parts: PublishParts,
  leadership: Leadership,
  seen: Observation,
  order: RolloutChange,
): Promise<void> {
  const { session, znodes } = parts;
  await session.transact([
    leadership.term.guard,
    rolloutOperation(parts, leadership, seen, order.rollout),
    ...(await outcomeOperations(parts, order.outcome)),
    ...(await permitOperations(parts, order.grant, seen.state.config.targetVersion)),
    ...order.revoke.map((id): Operation => ({ op: 'remove', path: znodes.permit(id), version: ANY_VERSION })),
  ]);
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

async function outcomeOperations(
  { session, znodes }: PublishParts,
  ended: { readonly number: number; readonly outcome: Outcome } | null,
): Promise<Operation[]> {
  const write = ended && (await outcomeWrite(session, znodes, ended.number, ended.outcome));
  return write ? [write] : [];
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
 * A publish with every version checked, config's being the failed target's: if anything moved on, nothing happens and
 * the next look decides again.
 */
async function rollBack(
  parts: PublishParts,
  leadership: Leadership,
  seen: Observation,
  order: RollBack,
): Promise<void> {
  const request = {
    target: targetOf(order.base),
    by: `coordinator ${leadership.agentId}`,
    reason: `automatic, after ${deploymentName(order.rollout.deployment)}: ${order.why}`,
    via: 'rollback',
    returnsTo: order.base.deployment,
    quarantines: { commitId: order.commitId as CommitId, reason: order.why },
  } as const;
  const first = [
    leadership.term.guard,
    rolloutOperation(parts, leadership, seen, order.rollout),
    ...(await outcomeOperations(parts, order.outcome)),
  ];
  await publishOnce(parts, seen.state, request, first);
}
