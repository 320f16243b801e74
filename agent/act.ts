import type { Random } from '../runtime/clock.ts';
import { classify, isAbort } from '../runtime/errors.ts';
import { type ApplyParts, apply } from './apply.ts';
import type { StatusReporter } from './coordination/status-report.ts';
import type { Action, WantedTarget } from './plan.ts';
import { type NextTry, nextTryAfter } from './retry.ts';
import { fail, giveUp } from './state/progress.ts';
import { StepFailure } from './steps/failure.ts';

export interface ActParts extends ApplyParts {
  readonly random: Random;
  readonly status: StatusReporter;
}

/** What a step leaves for the next turn. */
export interface ActMemory {
  /** The kept release that was compared with its commit for this target. */
  checked: string | null;
  nextTry: NextTry;
}

/** These steps, until one fails or something else is wanted: what was swapped in meanwhile is then not activated. */
export async function act(
  parts: ActParts,
  memory: ActMemory,
  steps: readonly Action[],
  wanted: WantedTarget,
  turn: AbortSignal,
  stop: AbortSignal,
): Promise<void> {
  for (const step of steps) {
    const wentWell = await actOnce(parts, memory, step, wanted, turn, stop);
    if (!wentWell || turn.aborted) return;
  }
}

/**
 * One step, with its log lines. A failure goes into the journal, with how long to wait before the next try; being
 * interrupted is none. A release whose step or health failed is given up; but a person's word on this server stands.
 * Resolves to whether it went well.
 */
async function actOnce(
  parts: ActParts,
  memory: ActMemory,
  step: Action,
  wanted: WantedTarget,
  turn: AbortSignal,
  stop: AbortSignal,
): Promise<boolean> {
  const started = parts.clock.monotonic();
  parts.status.working(wanted, step, parts.journal());
  try {
    await apply(parts, step, wanted, turn, stop);
    if (step === 'check' || step === 'keep') memory.checked = wanted.target.commitId;
    parts.status.done(wanted, step, parts.clock.monotonic() - started);
    return true;
  } catch (error) {
    if (turn.aborted && (isAbort(error) || error === turn.reason || error === stop.reason)) return false;
    await recordFailure(parts, memory, step, wanted, error);
    return false;
  }
}

/** Also for what fails after its step has ended: a release that is healthy at first. */
export async function recordFailure(
  parts: ActParts,
  memory: ActMemory,
  step: Action,
  wanted: WantedTarget,
  error: unknown,
): Promise<void> {
  const failure = classify(error);
  const gone = error instanceof StepFailure && !wanted.override ? error : null;
  await parts.remember((journal) => {
    const failed = fail(journal, failure.toFailure(), step);
    return gone ? giveUp(failed, wanted, gone.step, failure.toFailure(), gone.output) : failed;
  });
  if (gone) await parts.failpoint('revert.intended');
  const attempts = parts.journal().progress?.attempts ?? 1;
  memory.nextTry = nextTryAfter(failure, step, attempts, parts.clock.monotonic(), parts.random);
  parts.status.failed(wanted, step, failure, attempts);
}
