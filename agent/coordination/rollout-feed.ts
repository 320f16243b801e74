import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { parsePolicy } from '../../schemas/policy.ts';
import { parseOrders, parsePermit, unknownState } from '../../schemas/rollout.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { followNode } from '../../zookeeper/recipes/follow-node.ts';
import type { Session, Snapshot } from '../../zookeeper/session.ts';
import { type Base, parseBase } from '../door/base.ts';
import type { Door } from '../door/door.ts';
import { NOTHING_VIEWED, type PolicyAnswer, type RolloutView } from './clearance.ts';

export interface RolloutFeedParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly agentId: string;
  readonly resyncMs: number;
  /** Judges which targets this agent accepts as a base. */
  readonly door: Door;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Calls `tell` with the rollout view each time that it changes: three watches, whatever the fleet's size. Ends only
 * with `signal`: a failure is logged and the read is retried.
 */
export async function followRollout(
  parts: RolloutFeedParts,
  tell: (view: RolloutView) => void,
  signal: AbortSignal,
): Promise<void> {
  const { znodes, agentId } = parts;
  const judged = judgeBase(parts);
  let seen: Partial<RolloutView> = {};
  const note = (change: typeof seen) => {
    seen = { ...seen, ...change };
    const { rollout, permit } = seen;
    if (rollout !== undefined && permit !== undefined) tell({ ...NOTHING_VIEWED, ...seen, known: true });
  };
  await Promise.all([
    tellEach(
      parts,
      znodes.rollout,
      async (snapshot) => note(await rolloutOf(agentId, dataOf(snapshot), judged)),
      signal,
    ),
    tellEach(parts, znodes.permit(agentId), (snapshot) => note({ permit: permitOf(dataOf(snapshot)) }), signal),
    tellEach(parts, znodes.policy, (snapshot) => note({ policy: policyOf(dataOf(snapshot)) }), signal),
  ]);
}

async function tellEach(
  parts: RolloutFeedParts,
  path: string,
  tell: (snapshot: Snapshot) => void | Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { session, resyncMs, clock, random, log } = parts;
  const options = { session, path, resyncMs, clock, random, log, failing: 'cannot read the rollout, retrying' };
  for await (const _ of followNode(options, tell, signal));
}

/** The rollout view as it is now. @throws ZooKeeperError. */
export async function readRolloutView(
  parts: Pick<RolloutFeedParts, 'session' | 'znodes' | 'agentId' | 'door'>,
): Promise<RolloutView> {
  const { session, znodes, agentId } = parts;
  const [rollout, permit, policy] = await Promise.all([
    session.get(znodes.rollout),
    session.get(znodes.permit(agentId)),
    session.get(znodes.policy).then((node) => policyOf(node?.data), unlessDenied),
  ]);
  const said = { permit: permitOf(permit?.data), policy };
  return {
    ...NOTHING_VIEWED,
    known: true,
    ...(await rolloutOf(agentId, rollout?.data, async (base) => baseOf(await parseBase(base, parts.door)))),
    ...said,
  };
}

const dataOf = (snapshot: Snapshot): Buffer | undefined => (snapshot.exists ? snapshot.data : undefined);

async function rolloutOf(
  agentId: string,
  data: Buffer | undefined,
  judged: (base: unknown) => Promise<Base | null>,
): Promise<Pick<RolloutView, 'rollout' | 'isMember' | 'base' | 'unknown'>> {
  const { rollout, base } = (data && parseOrders(data)) ?? { rollout: null, base: null };
  const isMember = rollout?.members.includes(agentId) ?? false;
  const accepted = base == null ? null : await judged(base);
  return { rollout, isMember, base: accepted, unknown: data ? unknownState(data) : null };
}

const baseOf = (judged: Awaited<ReturnType<typeof parseBase>>): Base | null => (judged.ok ? judged.base : null);

/** Logs once why a base was refused: a rollout is written many times with the same base. */
function judgeBase({ door, log }: RolloutFeedParts): (base: unknown) => Promise<Base | null> {
  let said = '';
  return async (value) => {
    const judged = await parseBase(value, door);
    const { code = '', reason = '', hint } = judged.ok ? {} : judged.failure;
    const word = `${code} ${reason}`;
    if (!judged.ok && word !== said)
      log.error({ code, reason, hint }, 'base of the rollout refused, what runs is kept');
    said = word;
    return baseOf(judged);
  };
}

const permitOf = (data: Buffer | undefined) => (data ? parsePermit(data) : null);

/** A policy that cannot be read counts as one. */
function policyOf(data: Buffer | undefined): PolicyAnswer {
  const { value, unreadable } = parsePolicy(data ?? Buffer.alloc(0));
  return value === null && unreadable === null ? 'none' : 'in force';
}

/**
 * Once a rollout names the target, the policy does not count. So a policy that we may not read must not stop the
 * recheck.
 */
function unlessDenied(error: unknown): PolicyAnswer {
  if (isCode(error, 'NO_AUTH')) return 'not known';
  throw error;
}
