/**
 * The agent: bell -> observe -> plan -> apply -> report, until it rests; then it waits for the bell.
 *
 * Everything that may have changed rings the same bell (a watch event, a reconnect, a slow tick, the end of a backoff)
 * and carries nothing: each turn looks at the newest target and at the disk itself. The newest target wins: it
 * interrupts whatever runs, except from pre-activate to the end of activate. Follow a target from here to the disk:
 * reconcile.ts (one pass: what is wanted, what is there, what plan.ts chooses), act.ts (actions and their failures),
 * apply.ts (one action), disk/releases.ts (the swap). How the target is read: coordination/target-feed.ts.
 */
import { spread } from '../runtime/backoff.ts';
import { type Bell, createBell } from '../runtime/bell.ts';
import { classify } from '../runtime/errors.ts';
import { changesClearance, NOTHING_VIEWED, type RolloutView } from './coordination/clearance.ts';
import { nothingHeard, type TargetHeard } from './coordination/target-feed.ts';
import { type Memory, type ReconcileParts, reconcileOnce } from './reconcile.ts';
import type { Journal } from './state/journal.ts';
import { createHealthWatch } from './steps/health-watch.ts';

export interface AgentParts extends ReconcileParts {
  /** The newest target as an endless stream that ends only with the signal. */
  readonly follow: (accepted: () => Journal['accepted'], signal: AbortSignal) => AsyncIterable<TargetHeard>;
  /** Tells the rollout's orders each time they change; ends only with the signal. */
  readonly followRollout: (tell: (view: RolloutView) => void, signal: AbortSignal) => Promise<void>;
  /** Calls `ring` whenever `blocked` may have changed, `interrupt` when a person on this server said something else. */
  readonly onChange: (ring: () => void, interrupt: () => void) => void;
}

interface Running extends Memory {
  /** Interrupts the step that runs, when something else is wanted. */
  interrupt: AbortController;
}

/** Runs until `signal` fires; a step that is under way then ends at its next safe point. */
export async function runAgent(parts: AgentParts, signal: AbortSignal): Promise<void> {
  const bell = createBell(parts.clock);
  const heard = nothingHeard('ZooKeeper to answer');
  const healthWatch = createHealthWatch(parts, () => interrupt(memory, bell));
  const memory: Running = {
    ...{ heard, wanted: heard.wanted, view: NOTHING_VIEWED, healthWatch },
    ...{ interrupt: new AbortController(), checked: null, nextTry: { at: 0 } },
  };
  parts.onChange(bell.ring, () => interrupt(memory, bell));
  const listening = Promise.all([
    listen(parts, memory, bell, signal),
    listenToRollout(parts, memory, bell, signal),
    healthWatch.run(signal),
  ]);
  while (!signal.aborted) {
    const turn = AbortSignal.any([signal, memory.interrupt.signal]);
    try {
      const waitMs = await reconcileOnce(parts, memory, turn, signal);
      if (waitMs !== null) await bell.wait(waitMs, signal);
    } catch (error) {
      if (turn.aborted) continue;
      // Not a step's failure (the journal has those) but the journal's own, as on a full disk: say it, look again later.
      const failure = classify(error);
      const retryInMs = spread(2_000, 0.5, parts.random);
      parts.log.error({ err: failure }, 'turn failed');
      const because = { kind: 'failed', failure: failure.toFailure(), retryInMs } as const;
      parts.status.rest(memory.heard.wanted, because, parts.journal());
      await bell.wait(retryInMs, signal);
    }
  }
  await listening;
}

/** Keeps `memory.desired` the newest target, rings, and interrupts what an older one had under way. */
async function listen(parts: AgentParts, memory: Running, bell: Bell, signal: AbortSignal): Promise<void> {
  const accepted = () => parts.journal().accepted;
  for await (const heard of parts.follow(accepted, signal)) {
    const changed = heard.write?.mzxid !== memory.heard.write?.mzxid;
    memory.heard = heard;
    if (changed) interrupt(memory, bell);
    else bell.ring();
  }
}

/** Orders change what is done next, and cut short only what is done until there is leave for the target. */
async function listenToRollout(parts: AgentParts, memory: Running, bell: Bell, signal: AbortSignal): Promise<void> {
  await parts.followRollout((view) => {
    const { wanted, view: before } = memory;
    memory.view = view;
    if (wanted.kind === 'target' && wanted.meanwhile !== undefined) interrupt(memory, bell);
    // Most changes of a record that a whole fleet watches are of interest to others.
    else if (wanted.kind !== 'target' || changesClearance(wanted, before, view)) bell.ring();
  }, signal);
}

function interrupt(memory: Running, bell: Bell): void {
  memory.interrupt.abort(OTHERWISE);
  memory.interrupt = new AbortController();
  bell.ring();
}

/** One for all: where it was made says nothing, and to find that out takes longer than the rest of an interruption. */
const OTHERWISE = new DOMException('something else is wanted', 'AbortError');
