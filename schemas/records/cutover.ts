import * as z from 'zod';
import { once } from '../../runtime/once.ts';

/**
 * What `policy.cutover: together` adds to the shared state. All agents of a wave swap at one instant, which the leader
 * names once they are all ready. Each agent says when it swapped; the spread is made of that.
 */

/** In the rollout: when the agents of the present wave swap. */
export const instant = once(() =>
  z.object({
    /** Ms since the epoch by the clock of the ensemble. */
    at: z.number(),
    /** Of ZooKeeper's leader whose clock that is: another leader has another clock. */
    epoch: z.number(),
  }),
);
export type Instant = z.infer<ReturnType<typeof instant>>;

/** In a report: how the agent swapped at an instant. */
export const swapped = once(() =>
  z.object({
    /** Which instant it was, by its `at`. */
    instant: z.number(),
    /** When the link had been swapped, by the clock of the ensemble. */
    at: z.number(),
    /** How far off that may be, ms; null: the instant was named by another clock, so it says nothing. */
    errorMs: z.number().nullable(),
    /** False: the instant had passed when this agent heard of it, or was ready to wait for it. */
    waited: z.boolean(),
  }),
);
export type Swapped = z.infer<ReturnType<typeof swapped>>;

/** In an outcome: what became of the cutovers of a rollout. */
export const swapSpread = once(() =>
  z.object({
    /** From the earliest to the latest swap of those that waited; of several waves the widest. Null: none waited. */
    spreadMs: z.number().nullable(),
    /** By how much the clocks of two agents may differ in that, ms. */
    errorMs: z.number(),
    /** How many waited for their instant and swapped. */
    waited: z.int(),
    /** Who swapped after it, and how long after. */
    delayed: z.array(z.object({ agentId: z.string(), delayMs: z.number() })).default([]),
    /** Who measured another clock than the one of its instant. */
    unmeasured: z.array(z.string()).default([]),
  }),
);
export type SwapSpread = z.infer<ReturnType<typeof swapSpread>>;

/** As many as an outcome names. */
const MAX_NAMED = 20;

/** Pure. Null: no agent swapped at an instant. */
export function spreadOf(
  agents: readonly { readonly agentId: string; readonly swapped: Swapped | null }[],
): SwapSpread | null {
  const all = agents.flatMap(({ agentId, swapped }) => (swapped ? [{ agentId, ...swapped }] : []));
  if (all.length === 0) return null;
  const measured = all.filter(({ errorMs }) => errorMs !== null);
  const inTime = measured.filter(({ waited }) => waited);
  const instants = [...new Set(inTime.map(({ instant }) => instant))];
  const widths = instants.map((one) => widthOf(inTime.filter(({ instant }) => instant === one).map(({ at }) => at)));
  const delayed = measured.filter(({ waited }) => !waited).toSorted((a, b) => b.at - b.instant - (a.at - a.instant));
  return {
    spreadMs: widths.length === 0 ? null : Math.round(Math.max(...widths)),
    errorMs: Math.ceil(Math.max(0, ...measured.map(({ errorMs }) => errorMs ?? 0)) * 2),
    waited: inTime.length,
    delayed: delayed
      .slice(0, MAX_NAMED)
      .map(({ agentId, at, instant }) => ({ agentId, delayMs: Math.max(0, Math.round(at - instant)) })),
    unmeasured: all.flatMap(({ agentId, errorMs }) => (errorMs === null ? [agentId] : [])).slice(0, MAX_NAMED),
  };
}

const widthOf = (times: readonly number[]): number => Math.max(...times) - Math.min(...times);

/** Whether an agent can take part in a cutover, as its presence says: links only. */
export const CUTOVER_STANDINGS = ['able', 'services', 'restarts'] as const;
export type CutoverStanding = (typeof CUTOVER_STANDINGS)[number];

/** Why an agent cannot take part, in words; null: it can. @param said null: its version does not know cutovers. */
export function cutoverObstacle(said: CutoverStanding | null): string | null {
  if (said === 'able') return null;
  if (said === 'services') return 'it has services, which leave their lists one after the other';
  if (said === 'restarts') return 'it restarts units after the swap';
  return 'its version of gitfleet does not know policy.cutover';
}
