import { createBell } from '../../runtime/bell.ts';
import type { Clock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { releaseOf } from '../disk/layout.ts';
import { chooseBack } from '../state/retention.ts';
import type { WantedTarget } from '../state/wanted.ts';
import type { StepFailure } from './failure.ts';
import { sample, unhealthy } from './health.ts';
import { addSample, type HealthTally, judgeActive, noSample } from './health-judge.ts';
import type { Probe } from './probe.ts';
import { factsOf, type StepParts } from './run.ts';
import type { StepFacts } from './runner.ts';

/** Keeps probing an active release that its rollout has not proven. */
export interface HealthWatch {
  /**
   * Sets the release to probe from now on; null: none. Returns its failure, once it has one, until another release is
   * watched.
   */
  over(wanted: WantedTarget | null): StepFailure | null;
  /** Probes until `signal` fires. It runs beside the agent's loop, whose tasks may take long. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

interface HealthWatchParts extends Pick<StepParts, 'layout' | 'journal' | 'stepsOf'> {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Logger;
  readonly resyncMs: number;
}

interface Watched {
  readonly wanted: WantedTarget;
  readonly ended: AbortController;
  tally: HealthTally;
  failure: StepFailure | null;
}

/** A soak takes minutes: an interval chosen for the moment of the swap must not cost a process ten times a second. */
const MIN_MS = 1_000;

/** @param failed called when a release has failed; `over` then returns the failure. */
export function createHealthWatch(parts: HealthWatchParts, failed: () => void): HealthWatch {
  const { clock } = parts;
  // A service may be starting because the whole server is, so its `start` counts from the start of this process.
  const startedAt = clock.monotonic();
  const bell = createBell(clock);
  let watched: Watched | null = null;

  /** Resolves to the pause before the next look. */
  async function lookAt(now: Watched, signal: AbortSignal): Promise<number> {
    const { health: rule } = await parts.stepsOf(releaseOf(parts.layout, now.wanted.target.commitId));
    if (!rule) return parts.resyncMs;
    const wrong = await sample(rule, factsIn(parts, now.wanted), parts.probe, signal);
    if (signal.aborted) return 0;
    const before = now.tally.last?.wrong ?? null;
    now.tally = addSample(now.tally, { at: clock.monotonic(), wrong });
    const { commitId } = now.wanted.target;
    if (wrong !== null && before === null)
      parts.log.warn({ commitId, reason: wrong }, 'the active release is not well');
    if (wrong === null && before !== null) parts.log.info({ commitId }, 'the active release is well again');
    const why = judgeActive(rule, now.tally);
    if (why !== null) {
      now.failure = unhealthy(`healthy at first, then ${why}`);
      failed();
    }
    return Math.max(MIN_MS, rule.interval);
  }

  async function attempt(now: Watched, stop: AbortSignal): Promise<number> {
    const signal = AbortSignal.any([stop, now.ended.signal]);
    try {
      return await lookAt(now, signal);
    } catch (error) {
      if (!signal.aborted) parts.log.warn({ err: classify(error) }, 'the active release could not be looked at');
      return parts.resyncMs;
    }
  }

  return {
    over(wanted) {
      if (!wanted || !watched || !isSame(watched.wanted, wanted)) {
        watched?.ended.abort();
        watched = wanted && { wanted, ended: new AbortController(), tally: noSample(startedAt), failure: null };
        if (watched) bell.ring();
      }
      return watched?.failure ?? null;
    },
    async run(signal) {
      while (!signal.aborted) {
        const now = watched;
        const waitMs = now && !now.failure ? await attempt(now, signal) : parts.resyncMs;
        await bell.wait(waitMs, signal);
      }
    },
  };
}

/** The journal no longer has what the link showed before; the release to go back to takes its place. */
function factsIn(parts: HealthWatchParts, wanted: WantedTarget): StepFacts {
  const { commitId, relativePath } = wanted.target;
  return { ...factsOf(parts, wanted), previousCommitId: chooseBack(parts.journal(), relativePath, commitId) };
}

function isSame(one: WantedTarget, other: WantedTarget): boolean {
  if (one.targetVersion !== other.targetVersion || one.target.commitId !== other.target.commitId) return false;
  return one.target.relativePath === other.target.relativePath;
}
