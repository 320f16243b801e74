/**
 * The agent's loop: one pass after the other until it rests; then it waits for the bell.
 *
 * Everything that may have changed rings the same bell (a watch event, a reconnect, a slow tick, the end of a backoff)
 * and carries nothing: each pass looks at the newest target and at the disk itself. The newest target wins: it
 * interrupts whatever runs, except from pre-activate to the end of activate.
 *
 * Follow a target from here to the disk: reconcile.ts (one pass) asks decide.ts (what this agent pursues) and plan.ts
 * (the next action); act.ts performs it with its failures, by apply.ts, which shows a release by disk/releases.ts.
 */
import { spread } from '../runtime/backoff.ts';
import { type Bell, createBell } from '../runtime/bell.ts';
import { classify } from '../runtime/errors.ts';
import { createRetryLoop, type RetryLoop } from '../runtime/retry-loop.ts';
import { changesClearance, NOTHING_VIEWED, type RolloutView } from './coordination/clearance.ts';
import { type Memory, type ReconcileParts, reconcileOnce } from './reconcile.ts';
import type { Journal } from './state/journal.ts';
import { nothingHeard, type TargetHeard } from './state/wanted.ts';
import { createHealthWatch } from './steps/health-watch.ts';

export interface AgentParts extends ReconcileParts {
  /** The newest target as an endless stream, which ends only with the signal. */
  readonly follow: (accepted: () => Journal['accepted'], signal: AbortSignal) => AsyncIterable<TargetHeard>;
  /** Tells what the rollout says to this agent each time that changes; ends only with the signal. */
  readonly followRollout: (tell: (view: RolloutView) => void, signal: AbortSignal) => Promise<void>;
  /** Calls `ring` whenever `blocked` may have changed, `interrupt` when a person on this server said something. */
  readonly onChange: (ring: () => void, interrupt: () => void) => void;
}

interface Running extends Memory {
  /** Interrupts the action under way, when something else is wanted. */
  interruption: AbortController;
}

/**
 * Runs until `stop` fires; an action that is under way then ends at its next safe point.
 * @throws FleetError LOCK_LOST: another process may take the same directories, so this one has to end.
 */
export async function runAgent(parts: AgentParts, stop: AbortSignal): Promise<void> {
  const bell = createBell(parts.clock);
  const heard = nothingHeard('ZooKeeper to answer');
  const healthWatch = createHealthWatch(parts, () => interrupt(memory, bell));
  const memory: Running = {
    heard,
    wanted: heard.wanted,
    view: NOTHING_VIEWED,
    healthWatch,
    interruption: new AbortController(),
    checked: null,
    nextTry: { at: 0 },
  };
  parts.onChange(bell.ring, () => interrupt(memory, bell));
  const listening = Promise.all([
    listenToTarget(parts, memory, bell, stop),
    listenToRollout(parts, memory, bell, stop),
    healthWatch.run(stop),
  ]);
  const retryLoop = createRetryLoop(parts, () => spread(2_000, 0.5, parts.random));
  while (!stop.aborted) {
    const interrupt = AbortSignal.any([stop, memory.interruption.signal]);
    try {
      const waitMs = await reconcileOnce(parts, memory, { interrupt, stop });
      retryLoop.wentWell();
      if (waitMs !== null) await bell.wait(waitMs, stop);
    } catch (error) {
      if (classify(error).code === 'LOCK_LOST') throw error;
      parts.rotation.rejoin();
      if (interrupt.aborted) continue;
      const isFull = classify(error).code === 'NO_SPACE';
      if (isFull && (await parts.room.giveBack(interrupt))) continue;
      await bell.wait(passFailed(parts, retryLoop, memory, error), stop);
    }
  }
  await listening;
}

/** Not a failure of an action (those are in the journal) but of the journal itself, as on a full disk. */
function passFailed(parts: AgentParts, retryLoop: RetryLoop, { heard }: Memory, error: unknown): number {
  const retryInMs = retryLoop.failed(error, {}, 'the agent cannot work with its own files, trying again');
  const because = { kind: 'failed', failure: classify(error).toFailure(), retryInMs } as const;
  parts.emit('rest', { wanted: heard.wanted, because, journal: parts.journal() });
  return retryInMs;
}

/** Keeps `memory.heard` the newest target, rings, and interrupts what an older one had under way. */
async function listenToTarget(parts: AgentParts, memory: Running, bell: Bell, signal: AbortSignal): Promise<void> {
  const accepted = () => parts.journal().accepted;
  for await (const heard of parts.follow(accepted, signal)) {
    const changed = heard.write?.mzxid !== memory.heard.write?.mzxid;
    memory.heard = heard;
    if (changed) interrupt(memory, bell);
    else bell.ring();
  }
}

/** The rollout changes what is done next, and interrupts only what is done until the target is cleared. */
async function listenToRollout(parts: AgentParts, memory: Running, bell: Bell, signal: AbortSignal): Promise<void> {
  await parts.followRollout((view) => {
    const { wanted, view: before } = memory;
    memory.view = view;
    if (wanted.kind === 'target' && wanted.meanwhile !== undefined) interrupt(memory, bell);
    // Most changes of a record that a whole fleet watches are about other agents.
    else if (wanted.kind !== 'target' || changesClearance(wanted, before, view)) bell.ring();
  }, signal);
}

function interrupt(memory: Running, bell: Bell): void {
  memory.interruption.abort(OTHERWISE);
  memory.interruption = new AbortController();
  bell.ring();
}

/** One for all: its stack says nothing, and to take one costs more than the rest of an interruption. */
const OTHERWISE = new DOMException('something else is wanted', 'AbortError');
