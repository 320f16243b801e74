/**
 * When an instance registers and when it leaves, as pure functions. Only the floor (floor.ts) delays a removal. Jitter
 * and damping delay only registrations.
 */

/** The latest result of an instance's checks; `unknown`: none yet, which changes nothing. */
export type Wellness = 'unknown' | 'well' | { readonly unwell: string };

/** `held`: a deployment keeps it out, and has made it leave. `byHand`: a person keeps it out. */
export function nextRegistration(
  { held, byHand }: { readonly held: boolean; readonly byHand: boolean },
  health: Wellness,
  registered: boolean,
): 'register' | 'remove' | 'rest' {
  if (byHand && !held) return registered ? 'remove' : 'rest';
  if (held || health === 'unknown') return 'rest';
  if (health === 'well') return registered ? 'rest' : 'register';
  return registered ? 'remove' : 'rest';
}

/**
 * Counts good and bad looks. A good first look decides at once; after that a change needs `rise` or `fall` in a row.
 */
export interface Looks {
  readonly health: Wellness;
  readonly streak: number;
}

export const NO_LOOKS: Looks = { health: 'unknown', streak: 0 };

export function addLook({ health, streak }: Looks, wrong: string | null, rule: { rise: number; fall: number }): Looks {
  const wasWell = health === 'well';
  const isWell = wrong === null;
  // A good first look counts at once. A bad one does not: a service that is starting is not unwell.
  if (health === 'unknown' && isWell) return { health: 'well', streak: 0 };
  if (health !== 'unknown' && wasWell === isWell) return { health: isWell ? 'well' : { unwell: wrong }, streak: 0 };
  const next = streak + 1;
  if (next < (isWell ? rule.rise : rule.fall)) return { health, streak: next };
  return { health: isWell ? 'well' : { unwell: wrong ?? '' }, streak: 0 };
}

/** Tokens for registering again after the checks removed it. */
export interface Damping {
  readonly tokens: number;
  readonly at: number;
}

const BURST = 5;
const REFILL_MS = 10_000;

export const fullDamping = (now: number): Damping => ({ tokens: BURST, at: now });

/** `waitMs` 0: it may register now, and `damping` has one token less. */
export function takeToken(damping: Damping, now: number): { readonly damping: Damping; readonly waitMs: number } {
  const tokens = Math.min(BURST, damping.tokens + (now - damping.at) / REFILL_MS);
  if (tokens >= 1) return { damping: { tokens: tokens - 1, at: now }, waitMs: 0 };
  return { damping: { tokens, at: now }, waitMs: Math.ceil((1 - tokens) * REFILL_MS) };
}
