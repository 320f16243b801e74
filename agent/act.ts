import type { Random } from '../runtime/clock.ts';
import { classify, isAbort } from '../runtime/errors.ts';
import { type ApplyParts, apply, type Signals } from './apply.ts';
import type { Emit } from './events.ts';
import type { Action } from './plan.ts';
import { type NextTry, nextTryAfter } from './retry.ts';
import type { Room } from './room.ts';
import { actionFailed, givenUp } from './state/activation.ts';
import type { WantedTarget } from './state/wanted.ts';
import { StepFailure } from './steps/failure.ts';

export interface ActParts extends ApplyParts {
  readonly random: Random;
  readonly emit: Emit;
  readonly room: Room;
}

/** What an action leaves for the next pass. */
export interface ActMemory {
  /** The commit whose kept release is known to match it, checked or made for this target. */
  checked: string | null;
  nextTry: NextTry;
}

/**
 * Performs these actions in order, until one fails or something else is wanted. A release that was swapped in by then
 * is not activated. A failure goes into the journal, with the time of the next try; an interruption is not a failure. A
 * release whose step or health check failed is given up, unless a person on this server chose it.
 */
export async function act(
  parts: ActParts,
  memory: ActMemory,
  actions: readonly Action[],
  wanted: WantedTarget,
  signals: Signals,
): Promise<void> {
  for (const action of actions) {
    const wentWell = await actOnce(parts, memory, action, wanted, signals);
    if (!wentWell || signals.interrupt.aborted) return;
  }
}

async function actOnce(
  parts: ActParts,
  memory: ActMemory,
  action: Action,
  wanted: WantedTarget,
  signals: Signals,
): Promise<boolean> {
  const started = parts.clock.monotonic();
  parts.emit('working', { wanted, action, journal: parts.journal() });
  try {
    if (action === 'write') await parts.room.beforeWrite(signals.interrupt);
    const brought = await applyWithRoom(parts, action, wanted, signals);
    if (brought) parts.emit('brought', { wanted, ...brought });
    if (action === 'check' || action === 'keep') memory.checked = wanted.target.commitId;
    parts.emit('done', { wanted, action, ms: parts.clock.monotonic() - started });
    return true;
  } catch (error) {
    const { interrupt, stop } = signals;
    if (interrupt.aborted && (isAbort(error) || error === interrupt.reason || error === stop.reason)) return false;
    await recordFailure(parts, memory, action, wanted, error);
    if (isFull(error)) await parts.room.giveBack(interrupt); // For the next try.
    return false;
  }
}

/** A full disk is a failure only if the agent has nothing left to give back. */
async function applyWithRoom(parts: ActParts, action: Action, wanted: WantedTarget, signals: Signals) {
  for (;;) {
    try {
      return await apply(parts, action, wanted, signals);
    } catch (error) {
      const again = isFull(error) && IS_REPEATABLE[action] && !signals.interrupt.aborted;
      if (!again || !(await parts.room.giveBack(signals.interrupt))) throw error;
    }
  }
}

const isFull = (error: unknown): boolean => classify(error).code === 'NO_SPACE';

/**
 * Whether an action may be repeated at once. The others run the operator's steps or checks; the next pass decides which
 * of those to repeat.
 */
const IS_REPEATABLE: Record<Action, boolean> = {
  fetch: true,
  vouch: true,
  write: true,
  check: true,
  keep: true,
  settle: true,
  prepare: false,
  swap: false,
  activate: false,
  health: false,
};

/** Also used for a release that was healthy at first and fails after its action has ended. */
export async function recordFailure(
  parts: ActParts,
  memory: ActMemory,
  action: Action,
  wanted: WantedTarget,
  error: unknown,
): Promise<void> {
  const failure = classify(error);
  const gone = error instanceof StepFailure && !wanted.override ? error : null;
  await parts.remember((journal) => {
    const failed = actionFailed(journal, failure.toFailure(), action);
    return gone ? givenUp(failed, wanted, gone.step, failure.toFailure(), gone.output) : failed;
  });
  if (gone) await parts.failpoint('revert.intended');
  const attempts = parts.journal().progress?.attempts ?? 1;
  memory.nextTry = nextTryAfter(failure, action, attempts, parts.clock.monotonic(), parts.random);
  const output = error instanceof StepFailure ? error.output : '';
  parts.emit('failed', { wanted, action, failure, output, attempts });
}
