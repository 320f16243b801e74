import { amountOf } from '../schemas/policy.ts';
import type { ServiceRule } from './contract.ts';

/** What a claim to leave a service reads. Names are those of registrations and twins. */
interface ServiceSeen {
  readonly listed: readonly string[];
  readonly twins: readonly string[];
  readonly rule: ServiceRule;
}

/** `alone`: no other instance is known, so the service is interrupted. */
export type MayLeave =
  | { readonly kind: 'go'; readonly alone: boolean }
  | { readonly kind: 'wait'; readonly words: string };

/**
 * Whether an instance may leave its service: as many must remain as the floor says, and at least one. The only instance
 * leaves at once, because waiting would not help. All that are registered or have a twin count as known. What an
 * earlier process of the same agent left behind does not count as another instance. Pure; the transaction is in
 * claim.ts.
 */
export function judgeLeave(own: string, { listed, twins, rule }: ServiceSeen): MayLeave {
  const isOwn = (name: string) => name === own || agentOf(name) === agentOf(own);
  const remaining = listed.filter((name) => !isOwn(name)).length;
  const others = new Set([...listed, ...twins].filter((name) => !isOwn(name))).size;
  if (others === 0) return { kind: 'go', alone: true };
  const known = others + 1;
  const least = leastOf(rule, known);
  if (remaining >= least) return { kind: 'go', alone: false };
  const after = remaining === 1 ? '1 would remain' : `${remaining} would remain`;
  return { kind: 'wait', words: `${after} of ${known} known instances, and the floor is ${least}` };
}

/** The number of known instances that have to stay registered. */
export const leastOf = (rule: ServiceRule, known: number): number => Math.max(1, roundedUp(rule, known));

/** A share is rounded up, so that at least that share remains. */
function roundedUp({ minAvailable }: ServiceRule, known: number): number {
  if (typeof minAvailable === 'number') return minAvailable;
  return known - amountOf(`${100 - Number(minAvailable.slice(0, -1))}%`, known);
}

/** The agent that a name belongs to: `web-1` for `web-1-9f86d081`. Any other name is its own owner. */
export const agentOf = (name: string): string => /^(.+)-[0-9a-f]{8}$/.exec(name)?.[1] ?? name;
