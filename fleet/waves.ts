import { type Amount, amountOf, isTogether, type Policy } from '../schemas/policy.ts';
import { matches, parseSelector } from '../schemas/selector.ts';

/** An agent that a wave may include. */
export interface WaveAgent {
  readonly agentId: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The agents of the canary, sorted by id; empty if the policy has no canary, or its selector matches no agent.
 * @param before the canary of an earlier attempt, whose agents are preferred.
 * @param all the total number of agents that percentages refer to.
 */
export function canaryOf(
  policy: Policy,
  candidates: readonly WaveAgent[],
  before: readonly string[],
  all: number,
): string[] {
  const { canary } = policy;
  if (canary === undefined) return [];
  const chosen = bySelector(canary);
  if (chosen) return names(candidates.filter((each) => matches(chosen, each.labels)));
  const ids = names(candidates);
  const again = ids.filter((id) => before.includes(id));
  const others = ids.filter((id) => !before.includes(id));
  return [...again, ...others].slice(0, atLeastOne(canary, all)).toSorted();
}

/**
 * The next wave of the remaining agents, by id, all with the same value of `byLabel`: at most `maxParallel` of them, in a
 * cutover all.
 */
export function nextWave(policy: Policy, left: readonly WaveAgent[], all: number): string[] {
  const { byLabel } = policy;
  const alike = names(byLabel === undefined ? left : ofFirstValue(left, byLabel));
  return isTogether(policy) ? alike : alike.slice(0, atLeastOne(policy.maxParallel, all));
}

/**
 * All waves, the canary first, if no agent fails, joins or leaves. Empty if the policy has a canary that matches no
 * agent, because no other agent goes before the canary.
 */
export function wavesOf(
  policy: Policy,
  agents: readonly WaveAgent[],
  canaryBefore: readonly string[] = [],
): string[][] {
  const canary = canaryOf(policy, agents, canaryBefore, agents.length);
  if (policy.canary !== undefined && canary.length === 0) return [];
  const waves = policy.canary === undefined ? [] : [canary];
  let left = agents.filter((each) => !canary.includes(each.agentId));
  while (left.length > 0) {
    const wave = nextWave(policy, left, agents.length);
    waves.push(wave);
    left = left.filter((each) => !wave.includes(each.agentId));
  }
  return waves;
}

/** At least one agent: with a share below that, the rollout would never proceed. */
export const atLeastOne = (amount: Amount, all: number): number => Math.max(1, amountOf(amount, all));

/** Null: an amount, or no valid selector. */
function bySelector(canary: Amount) {
  if (typeof canary === 'number' || canary.endsWith('%')) return null;
  const parsed = parseSelector(canary);
  return parsed.ok ? parsed.selector : null;
}

/** The agents with the first value in alphabetical order; agents without the label come last. */
function ofFirstValue(left: readonly WaveAgent[], label: string): WaveAgent[] {
  const labelled = ({ labels }: WaveAgent) => (Object.hasOwn(labels, label) ? labels[label] : undefined);
  const values = left.map(labelled);
  const first = values.filter((value) => value !== undefined).toSorted()[0];
  return left.filter((each) => labelled(each) === first);
}

const names = (agents: readonly WaveAgent[]): string[] => agents.map((each) => each.agentId).toSorted();
