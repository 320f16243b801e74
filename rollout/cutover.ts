import { isTogether } from '../schemas/policy.ts';
import type { Rollout } from '../schemas/rollout.ts';
import type { RolloutAgent } from './agent-state.ts';
import { codesOf } from './budget.ts';
import { namesOf, type Summary } from './summary.ts';

/**
 * The cutover (`policy.cutover: together`), which has no permits. Once every member of the wave is ready, the leader
 * writes one instant into the rollout, and all members swap at that moment. The instant is one write, so either all
 * members are allowed to swap or none is, wherever the leader is killed.
 *
 * Guarantee: no agent swaps unless all members were ready when the leader last looked. It is not guaranteed that all of
 * them swap: an agent that gets the instant later swaps then, and one that went away is `gone` until the deadline.
 */

/**
 * Why no agent may swap: one that is online cannot swap with the others, and only a person can change that. Null:
 * nothing prevents the next instant.
 */
export function whyNoneSwaps(rollout: Rollout, summary: Summary): string | null {
  if (!isTogether(rollout.policy) || rollout.activateAt !== null) return null;
  const unable = summary.of('unable').filter((each) => each.seen.online && !rollout.excused.includes(each.agentId));
  if (unable.length === 0) return null;
  return `${codesOf(unable, rollout)}; all swap together or none does`;
}

/** The next step of a wave that is not done. */
export interface NextInstant {
  readonly why: string;
  readonly rollout: Rollout;
  /** How far ahead of its writing the instant is, ms; null: no instant is due. */
  readonly instantInMs: number | null;
}

/**
 * The instant of the current wave, once all its members are ready. It also fixes the members: those that are ready, and
 * those that show the target already.
 */
export function nextInstant(rollout: Rollout, summary: Summary, open: readonly RolloutAgent[]): NextInstant {
  const members = (...standings: ('ready' | 'done')[]) =>
    summary.of(...standings).filter(({ agentId }) => rollout.members.includes(agentId));
  const ready = members('ready');
  // Once an instant is set, no member counts as ready any more, because each may activate.
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

/** The time that all agents need to get the instant and to measure the clock; each of them reads the whole record. */
const aheadMs = (agents: number): number => 2_000 + agents;
