/**
 * The agent: bell -> observe -> plan -> apply -> report, until it rests; then it waits for the bell.
 *
 * Everything that may have changed rings the same bell (a watch event, a reconnect, a slow tick, the end of a backoff)
 * and carries nothing: each turn looks at the newest target and at the disk itself. The newest target wins: it
 * interrupts whatever runs, except from pre-activate to the end of activate. Follow a target from here: desired.ts (what is
 * wanted), leave.ts (whether this agent may go), observe.ts (what is there), plan.ts (the next step), apply.ts (doing it).
 */
import { spread } from '../runtime/backoff.ts';
import { type Bell, createBell } from '../runtime/bell.ts';
import { classify } from '../runtime/errors.ts';
import { NO_ORDERS, type Orders, saysMore } from './coordination/clearance.ts';
import { type Desired, nothing } from './coordination/target-feed.ts';
import { type Memory, type TurnParts, takeTurn } from './reconcile.ts';
import type { Journal } from './state/journal.ts';
import { createHealthWatch } from './steps/health-watch.ts';

export interface AgentParts extends TurnParts {
  /** The newest target as an endless stream that ends only with the signal. */
  readonly follow: (accepted: () => Journal['accepted'], signal: AbortSignal) => AsyncIterable<Desired>;
  /** Tells the rollout's orders each time they change; ends only with the signal. */
  readonly followOrders: (tell: (orders: Orders) => void, signal: AbortSignal) => Promise<void>;
  /** Calls `ring` whenever `blocked` may have changed, `interrupt` when a person on this server said something else. */
  readonly onChange: (ring: () => void, interrupt: () => void) => void;
}

interface Course extends Memory {
  /** Interrupts the step that runs, when something else is wanted. */
  interrupt: AbortController;
}

/** Runs until `signal` fires; a step that is under way then ends at its next safe point. */
export async function runAgent(parts: AgentParts, signal: AbortSignal): Promise<void> {
  const bell = createBell(parts.clock);
  const desired = nothing('ZooKeeper to answer');
  const healthWatch = createHealthWatch(parts, () => interrupt(memory, bell));
  const memory: Course = {
    ...{ desired, wanted: desired.wanted, orders: NO_ORDERS, healthWatch },
    ...{ interrupt: new AbortController(), checked: null, patience: { at: 0 } },
  };
  parts.onChange(bell.ring, () => interrupt(memory, bell));
  const listening = Promise.all([
    listen(parts, memory, bell, signal),
    listenToOrders(parts, memory, bell, signal),
    healthWatch.run(signal),
  ]);
  while (!signal.aborted) {
    const turn = AbortSignal.any([signal, memory.interrupt.signal]);
    try {
      const waitMs = await takeTurn(parts, memory, turn, signal);
      if (waitMs !== null) await bell.wait(waitMs, signal);
    } catch (error) {
      if (turn.aborted) continue;
      // Not a step's failure (the journal has those) but the journal's own, as on a full disk: say it, look again later.
      const failure = classify(error);
      const retryInMs = spread(2_000, 0.5, parts.chance);
      parts.log.error({ err: failure }, 'turn failed');
      const because = { kind: 'failed', failure: failure.toFailure(), retryInMs } as const;
      parts.standing.rest(memory.desired.wanted, because, parts.journal());
      await bell.wait(retryInMs, signal);
    }
  }
  await listening;
}

/** Keeps `memory.desired` the newest target, rings, and interrupts what an older one had under way. */
async function listen(parts: AgentParts, memory: Course, bell: Bell, signal: AbortSignal): Promise<void> {
  const accepted = () => parts.journal().accepted;
  for await (const desired of parts.follow(accepted, signal)) {
    const changed = desired.write?.mzxid !== memory.desired.write?.mzxid;
    memory.desired = desired;
    if (changed) interrupt(memory, bell);
    else bell.ring();
  }
}

/** Orders change what is done next, and cut short only what is done until there is leave for the target. */
async function listenToOrders(parts: AgentParts, memory: Course, bell: Bell, signal: AbortSignal): Promise<void> {
  await parts.followOrders((orders) => {
    const { wanted, orders: before } = memory;
    memory.orders = orders;
    if (wanted.kind === 'target' && wanted.meanwhile !== undefined) interrupt(memory, bell);
    // Most changes of a record that a whole fleet watches are of interest to others.
    else if (wanted.kind !== 'target' || saysMore(wanted, before, orders)) bell.ring();
  }, signal);
}

function interrupt(memory: Course, bell: Bell): void {
  memory.interrupt.abort(OTHERWISE);
  memory.interrupt = new AbortController();
  bell.ring();
}

/** One for all: where it was made says nothing, and to find that out takes longer than the rest of an interruption. */
const OTHERWISE = new DOMException('something else is wanted', 'AbortError');
