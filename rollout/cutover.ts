import { isTogether } from '../schemas/policy.ts';
import type { Rollout } from '../schemas/rollout.ts';
import type { RolloutAgent } from './agent-state.ts';
import { codesOf } from './budget.ts';
import { namesOf, type Summary } from './summary.ts';

/**
 * The cutover (`policy.cutover: together`): no permits. Once every member of the wave is ready, the leader writes one
 * instant into the rollout, and all members swap at that moment. The instant is one write, so all of them are allowed to
 * swap or none is, wherever the leader is killed.
 *
 * It guarantees that no agent swaps unless all members were ready at the leader's last look. It cannot guarantee that
 * all of them swap: one that hears of the instant later swaps then, and one that is away is `gone` until the deadline.
 */

/**
 * Why no agent may swap: one that is online cannot go with the others, and will not be able to without a person. Null:
 * nothing stands against the next instant.
 */
export function whyNoneSwaps(rollout: Rollout, summary: Summary): string | null {
  if (!isTogether(rollout.policy) || rollout.activateAt !== null) return null;
  const unable = summary.of('unable').filter((each) => each.seen.online && !rollout.excused.includes(each.agentId));
  if (unable.length === 0) return null;
  return `${codesOf(unable, rollout)}; all swap together or none does`;
}

/** What follows for a wave that is not done; `rollout` is null where nothing is to be written. */
export interface NextInstant {
  readonly why: string;
  readonly rollout: Rollout;
  /** How far ahead the instant is to be, ms from its writing; null: no instant is due. */
  readonly instantInMs: number | null;
}

/**
 * The instant of the present wave, once all its members are ready. With it the members are fixed: those that are ready,
 * and those that show the target already.
 */
export function nextInstant(rollout: Rollout, summary: Summary, open: readonly RolloutAgent[]): NextInstant {
  const members = (...standings: ('ready' | 'done')[]) =>
    summary.of(...standings).filter(({ agentId }) => rollout.members.includes(agentId));
  const ready = members('ready');
  // Of those that an instant was named for none is ready: each may activate already.
  if (open.length > 0 || ready.length === 0) {
    const what = rollout.activateAt === null ? ', before all swap together' : '';
    return { why: `wave ${rollout.wave}: waiting for ${namesOf(open)}${what}`, rollout, instantInMs: null };
  }
  const ids = (agents: readonly RolloutAgent[]) => agents.map(({ agentId }) => agentId);
  const fixed = {
    ...rollout,
    members: ids(members('ready', 'done')).toSorted(),
    cleared: [...new Set([...rollout.cleared, ...ids(ready)])].toSorted(),
  };
  return { why: `all of wave ${rollout.wave} swap together`, rollout: fixed, instantInMs: aheadMs(ready.length) };
}

/** Time for every agent to hear of the instant and to ask for the time; each reads the whole record. */
const aheadMs = (agents: number): number => 2_000 + agents;
