import * as z from 'zod';
import { once } from '../../runtime/once.ts';

/**
 * What `policy.cutover: together` adds to the shared state. All agents of a wave swap at one instant, which the leader
 * sets once they are all ready. Each agent reports when it swapped; the spread is calculated from these reports.
 */

/** In the rollout: when the agents of the current wave swap. */
export const instant = once(() =>
  z.object({
    /** Ms since the epoch by the clock of the ensemble. */
    at: z.number(),
    /** The epoch of the ZooKeeper leader whose clock that is; another leader has another clock. */
    epoch: z.number(),
  }),
);
export type Instant = z.infer<ReturnType<typeof instant>>;

/** In a report: how the agent swapped at an instant. */
export const swapped = once(() =>
  z.object({
    /** The `at` of that instant. */
    instant: z.number(),
    /** When the link had been swapped, by the clock of the ensemble. */
    at: z.number(),
    /** The possible error of `at`, ms; null: another clock had set the instant, so the two cannot be compared. */
    errorMs: z.number().nullable(),
    /** False: the instant had passed when this agent got it or was ready to wait for it. */
    waited: z.boolean(),
  }),
);
export type Swapped = z.infer<ReturnType<typeof swapped>>;

/** In an outcome: the result of the cutovers of a rollout. */
export const swapSpread = once(() =>
  z.object({
    /**
     * From the earliest to the latest swap of the agents that waited; of several waves, the widest. Null: none waited.
     */
    spreadMs: z.number().nullable(),
    /** The possible error of the difference between two agents, ms. */
    errorMs: z.number(),
    /** The number of agents that waited for their instant and swapped. */
    waited: z.int(),
    /** The agents that swapped after the instant without having waited, and how long after; at most 20. */
    delayed: z.array(z.object({ agentId: z.string(), delayMs: z.number() })).default([]),
    /** The agents that measured a clock other than that of their instant; at most 20. */
    unmeasured: z.array(z.string()).default([]),
  }),
);
export type SwapSpread = z.infer<ReturnType<typeof swapSpread>>;

/** The number of agents that an outcome names at most. */
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

/** Whether an agent can take part in a cutover, as its presence says: only one that just swaps links can. */
export const CUTOVER_STANDINGS = ['able', 'services', 'restarts'] as const;
export type CutoverStanding = (typeof CUTOVER_STANDINGS)[number];

/** Why an agent cannot take part; null: it can. @param said null: its version does not know cutovers. */
export function cutoverObstacle(said: CutoverStanding | null): string | null {
  if (said === 'able') return null;
  if (said === 'services') return 'it has services, which leave their lists one after the other';
  if (said === 'restarts') return 'it restarts units after the swap';
  return 'its version of gitfleet does not know policy.cutover';
}
