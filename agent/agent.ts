/**
 * The agent: bell -> observe -> plan -> apply -> report, until it rests; then it waits for the bell.
 *
 * Everything that may have changed rings the same bell (a watch event, a reconnect, a slow tick, the end of a backoff)
 * and carries nothing: each turn looks at the newest target and at the disk itself. The newest target wins: it
 * interrupts whatever runs, except a swap. Follow a target from here: desired.ts (what is wanted), observe.ts (what is
 * there), plan.ts (the next step), apply.ts (doing it).
 */
import { spread } from '../runtime/backoff.ts';
import { type Bell, createBell } from '../runtime/bell.ts';
import type { Chance } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import { type StepMemory, type StepParts, takeStep } from './apply.ts';
import type { Chores } from './chores.ts';
import { type Desired, nothing } from './desired.ts';
import type { Journal } from './journal.ts';
import { type ObserveParts, observe } from './observe.ts';
import { obey, readOverride } from './override.ts';
import { NOTHING_OBSERVED, plan, type Step, type Wanted } from './plan.ts';
import { begin, isBegun } from './progress.ts';
import { reconcile } from './reconcile.ts';
import type { StandingReporter } from './standing.ts';

export interface AgentParts extends StepParts, ObserveParts {
  /** The newest target as an endless stream that ends only with the signal. */
  readonly follow: (accepted: () => Journal['accepted'], signal: AbortSignal) => AsyncIterable<Desired>;
  readonly chance: Chance;
  readonly rereadMs: number;
  readonly standing: StandingReporter;
  readonly chores: Chores;
  /** Why this agent may not act now although there is a target, such as another process that holds its name. */
  readonly blocked: () => string | null;
  /** Calls `ring` whenever `blocked` may have changed, `interrupt` when a person on this server said something else. */
  readonly onChange: (ring: () => void, interrupt: () => void) => void;
}

/** What one turn knows beside journal and disk; lost at a restart without harm. */
interface Memory extends StepMemory {
  desired: Desired;
  /** Interrupts the step that runs, when something else is wanted. */
  interrupt: AbortController;
}

/** Runs until `signal` fires; a step that is under way then ends at its next safe point. */
export async function runAgent(parts: AgentParts, signal: AbortSignal): Promise<void> {
  const bell = createBell(parts.clock);
  const memory: Memory = {
    desired: nothing('ZooKeeper to answer'),
    interrupt: new AbortController(),
    checked: null,
    patience: { at: 0 },
  };
  parts.onChange(bell.ring, () => interrupt(memory, bell));
  const listening = listen(parts, memory, bell, signal);
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
async function listen(parts: AgentParts, memory: Memory, bell: Bell, signal: AbortSignal): Promise<void> {
  const accepted = () => parts.journal().accepted;
  for await (const desired of parts.follow(accepted, signal)) {
    const changed = desired.write?.mzxid !== memory.desired.write?.mzxid;
    memory.desired = desired;
    if (changed) interrupt(memory, bell);
    else bell.ring();
  }
}

function interrupt(memory: Memory, bell: Bell): void {
  memory.interrupt.abort(new DOMException('something else is wanted', 'AbortError'));
  memory.interrupt = new AbortController();
  bell.ring();
}

/** One look and at most one step. Resolves to how long to rest, or null to look again at once. */
async function takeTurn(
  parts: AgentParts,
  memory: Memory,
  turn: AbortSignal,
  stop: AbortSignal,
): Promise<number | null> {
  const mended = await reconcile(parts.places, parts.journal(), parts.clock.now());
  if (mended !== parts.journal()) await parts.remember(() => mended);
  const blocked = parts.blocked();
  const { wanted: asked, write } = blocked === null ? memory.desired : nothing(blocked);
  const wanted = obey(asked, await readOverride(parts.places.appState), parts.journal());
  if (wanted.kind === 'target' && !isBegun(parts.journal(), wanted.targetVersion, wanted.target)) {
    memory.checked = null;
    memory.patience = { at: 0 };
    // Under an override nothing of the fleet's was accepted anew.
    const accepted = wanted.override ? null : write;
    await parts.remember((journal) => begin(journal, wanted.target, wanted.targetVersion, accepted));
    await parts.failpoint('begin.remembered');
    parts.standing.begin(wanted);
  }
  const step = await nextStep(parts, memory, wanted);
  if (step.do === 'rest') {
    parts.standing.rest(wanted, step.because, parts.journal());
    const settled = step.because.kind === 'settled' && wanted.kind === 'target';
    const choreInMs = settled ? await parts.chores.next(wanted.target.commitId, turn) : null;
    const retryInMs = step.because.kind === 'failed' ? step.because.retryInMs : null;
    const soonest = Math.min(choreInMs ?? Number.POSITIVE_INFINITY, retryInMs ?? Number.POSITIVE_INFINITY);
    return soonest === 0 ? null : Math.min(soonest, spread(parts.rereadMs, 0.2, parts.chance));
  }
  // A command of the operator's is never cut in half by a newer target, only by the end of this process.
  if (wanted.kind === 'target') await takeStep(parts, memory, step.do, wanted, step.do === 'activate' ? stop : turn);
  return null;
}

async function nextStep(parts: AgentParts, memory: Memory, wanted: Wanted): Promise<Step> {
  const { progress } = parts.journal();
  const waitMs = progress?.activation === 'failed' ? null : memory.patience.at - parts.clock.monotonic();
  const retryInMs = waitMs === null || waitMs === Number.POSITIVE_INFINITY ? null : Math.max(0, waitMs);
  if (wanted.kind !== 'target') return plan(wanted, NOTHING_OBSERVED, progress, retryInMs);
  return plan(wanted, await observe(parts, wanted.target, parts.journal(), memory.checked), progress, retryInMs);
}
