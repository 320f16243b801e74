import { murmur3 } from './murmur3.ts';

/** A variant and its weight, a whole number from 0. */
export type Share = readonly [variant: string, weight: number];

/**
 * flagd's rule for a share of the keys: the hash of flag name and targeting key, in 32 bits, times the sum of all
 * weights, shifted right by 32, is the bucket; the first variant whose weights so far exceed it is the key's. Integers
 * only, so that every language gives the same answer (https://flagd.dev/reference/custom-operations/fractional-operation/).
 * With `on` first, raising its weight by what the other loses takes no key out.
 */
export function variantOf(flagName: string, targetingKey: string, shares: readonly Share[]): string | null {
  const total = shares.reduce((sum, [, weight]) => sum + weight, 0);
  if (total === 0) return null;
  // At most 2^31 - 1: the product passes 2^53, which a number could not hold exactly.
  const bucket = Number((BigInt(murmur3(flagName + targetingKey)) * BigInt(total)) >> 32n);
  let end = 0;
  for (const [variant, weight] of shares) {
    end += weight;
    if (bucket < end) return variant;
  }
  return null;
}

const MAX_TOTAL = 2 ** 31 - 1;

/** The shares of a rule that is flagd's `fractional` with plain weights and nothing else; null: another rule. */
export function sharesOf(targeting: unknown): readonly Share[] | null {
  if (typeof targeting !== 'object' || targeting === null) return null;
  const [rule, ...more] = Object.entries(targeting);
  if (more.length > 0 || rule?.[0] !== 'fractional' || !Array.isArray(rule[1])) return null;
  const shares: Share[] = [];
  for (const share of rule[1] as unknown[]) {
    if (!Array.isArray(share) || share.length < 1 || share.length > 2) return null;
    const [variant, weight = 1] = share as unknown[];
    if (typeof variant !== 'string' || typeof weight !== 'number' || !Number.isSafeInteger(weight)) return null;
    shares.push([variant, Math.max(0, weight)]);
  }
  return shares.length > 0 && shares.reduce((sum, [, weight]) => sum + weight, 0) <= MAX_TOTAL ? shares : null;
}

/** No rule at all: absent, null or an empty object. */
export const isPlain = (targeting: unknown): boolean =>
  targeting == null ||
  (typeof targeting === 'object' && !Array.isArray(targeting) && Object.keys(targeting).length === 0);
