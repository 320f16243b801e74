/**
 * The agent's loop: one pass after another until it rests; then it waits for the bell.
 *
 * Every possible change rings the same bell (a watch event, a reconnect, a slow tick, the end of a backoff). The bell
 * carries no data: each pass reads the newest target and the disk. The newest target wins: it interrupts any action,
 * except from pre-activate to the end of activate.
 *
 * Follow a target from here to the disk: reconcile.ts (one pass) asks decide.ts (what this agent pursues) and plan.ts
 * (the next action). act.ts performs it and handles its failures, through apply.ts, which shows a release through
 * disk/releases.ts.
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
  /** The newest target as an endless stream. It ends only with the signal. */
  readonly follow: (accepted: () => Journal['accepted'], signal: AbortSignal) => AsyncIterable<TargetHeard>;
  /** Calls `tell` with the rollout view each time that it changes. Ends only with the signal. */
  readonly followRollout: (tell: (view: RolloutView) => void, signal: AbortSignal) => Promise<void>;
  /** Calls `ring` whenever `blocked` may have changed, and `interrupt` when a person on this server gave a command. */
  readonly onChange: (ring: () => void, interrupt: () => void) => void;
}

interface Running extends Memory {
  /** Interrupts the current action when something else is wanted. */
  interruption: AbortController;
}

/**
 * Runs until `stop` fires; the current action then ends at its next safe point.
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

/**
 * A pass that failed outside its actions, whose failures are in the journal: for example, the journal could not be
 * written.
 */
function passFailed(parts: AgentParts, retryLoop: RetryLoop, { heard }: Memory, error: unknown): number {
  const retryInMs = retryLoop.failed(error, {}, 'the agent cannot work with its own files, trying again');
  const because = { kind: 'failed', failure: classify(error).toFailure(), retryInMs } as const;
  parts.emit('rest', { wanted: heard.wanted, because, journal: parts.journal() });
  return retryInMs;
}

/** Stores each new target in `memory.heard`, rings, and interrupts the current action if `config` was written again. */
async function listenToTarget(parts: AgentParts, memory: Running, bell: Bell, signal: AbortSignal): Promise<void> {
  const accepted = () => parts.journal().accepted;
  for await (const heard of parts.follow(accepted, signal)) {
    const changed = heard.write?.mzxid !== memory.heard.write?.mzxid;
    memory.heard = heard;
    if (changed) interrupt(memory, bell);
    else bell.ring();
  }
}

/**
 * A change of the rollout affects the next pass. It interrupts only work on the base, which is shown until the target
 * is cleared.
 */
async function listenToRollout(parts: AgentParts, memory: Running, bell: Bell, signal: AbortSignal): Promise<void> {
  await parts.followRollout((view) => {
    const { wanted, view: before } = memory;
    memory.view = view;
    if (wanted.kind === 'target' && wanted.meanwhile !== undefined) interrupt(memory, bell);
    // The whole fleet watches this record, and most of its changes are about other agents.
    else if (wanted.kind !== 'target' || changesClearance(wanted, before, view)) bell.ring();
  }, signal);
}

function interrupt(memory: Running, bell: Bell): void {
  memory.interruption.abort(OTHERWISE);
  memory.interruption = new AbortController();
  bell.ring();
}

/** One for all interruptions: its stack says nothing, and capturing one costs more than the rest of an interruption. */
const OTHERWISE = new DOMException('something else is wanted', 'AbortError');
