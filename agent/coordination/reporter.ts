import type { Clock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Report } from '../../schemas/report.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { type AclEntry, ANY_VERSION, type Session } from '../../zookeeper/session.ts';

interface ReporterParts {
  readonly session: Session;
  readonly path: string;
  /** For the report's node: only this agent may write it. */
  readonly acl: readonly AclEntry[];
  /** Signed by this agent, together with what only its presence knows. */
  readonly encode: (report: Report) => Buffer;
  /** Whether this process owns its presence; only then may it report under its id. */
  readonly mayWrite: () => boolean;
  /** Called with the reason, readable by people, why reports cannot be written; null: the problem is over. */
  readonly onProblem: (words: string | null) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Reporter {
  /**
   * Never throws or waits. `working`: a current stage, written only if work lasts. `rest`: the state of the agent;
   * written at once if it differs from the last one written.
   */
  say(next: Report, kind: 'working' | 'rest'): void;
  /** Writes the last report again, for example after presence was regained. */
  repeat(): void;
  /** Resolves when no write is under way. */
  idle(): Promise<void>;
}

const COALESCE_MS = 1_000;
/** A deployment that ends sooner than this is reported once, at its end. */
const WORKING_DELAY_MS = 1_000;
/** Stages reported per targetVersion (docs/design.md, section 3: at most five writes in all if nothing fails). */
const MAX_WORKING = 3;
/** The shortest time between reports of the same state, for example with another number of attempts. */
const SAME_AGAIN_MS = 30_000;
/** The pause after a failed write; doubled each time. */
const FAILED = { firstMs: 1_000, maxMs: 60_000 };

export function createReporter(parts: ReporterParts): Reporter {
  let pending: { report: Report; kind: 'working' | 'rest' } | null = null;
  let last: Report | null = null;
  let told: { report: Report; at: number } | null = null;
  let working = { targetVersion: null as string | null, writes: 0 };
  let cancelTimer: (() => void) | null = null;
  /** The kind of report that the timer was set for. */
  let timed: 'working' | 'rest' = 'rest';
  let writing: Promise<void> | null = null;
  let failures = 0;

  function flush(): void {
    cancelTimer?.();
    cancelTimer = null;
    if (writing || !pending || !parts.mayWrite()) return;
    const next = pending;
    pending = null;
    if (next.kind === 'working') working.writes += 1;
    writing = write(next.report)
      .then(() => {
        told = { report: next.report, at: parts.clock.monotonic() };
        if (failures > 0) parts.onProblem(null);
        failures = 0;
      })
      .catch((error: unknown) => {
        pending ??= next;
        failures += 1;
        const { code, message, hint } = classify(error);
        parts.log.warn({ code, reason: message, hint, failures }, 'report not written, will be repeated');
        if (isCode(error, 'NO_AUTH')) parts.onProblem(`its report cannot be written: ${code} at ${parts.path}`);
        const waitMs = Math.min(FAILED.maxMs, FAILED.firstMs * 2 ** (failures - 1));
        cancelTimer ??= parts.clock.after(waitMs, flush);
      })
      .finally(() => {
        writing = null;
        if (pending && !cancelTimer) flush();
      });
  }

  async function write(next: Report): Promise<void> {
    const data = parts.encode(next);
    try {
      await parts.session.set(parts.path, data, ANY_VERSION);
    } catch (error) {
      if (!isCode(error, 'NO_NODE')) throw error;
      await parts.session.create(parts.path, data, 'persistent', { acl: parts.acl });
    }
  }

  function delayOf(next: Report, kind: 'working' | 'rest'): number {
    if (!told) return kind === 'working' ? WORKING_DELAY_MS : 0;
    const since = parts.clock.monotonic() - told.at;
    if (kind === 'working') return Math.max(WORKING_DELAY_MS, COALESCE_MS - since);
    if (standingKey(next) === standingKey(told.report)) return SAME_AGAIN_MS - since;
    // Alternating failures, as on a bad line, are written at most once a second; an end is written at once.
    return next.error?.next === 'retry' ? COALESCE_MS - since : 0;
  }

  return {
    say(next, kind) {
      last = next;
      if (working.targetVersion !== next.targetVersion) working = { targetVersion: next.targetVersion, writes: 0 };
      if (kind === 'working' && working.writes >= MAX_WORKING) return;
      pending = { report: next, kind };
      if (failures > 0) return; // Its own timer is running.
      // Stages that follow each other quickly are lasting work too, so the timer keeps running.
      if (kind === 'working' && timed === 'working' && cancelTimer) return;
      const waitMs = delayOf(next, kind);
      cancelTimer?.();
      cancelTimer = null;
      timed = kind;
      if (waitMs <= 0) flush();
      else cancelTimer = parts.clock.after(waitMs, flush);
    },
    repeat() {
      pending ??= last && { report: last, kind: 'rest' };
      flush();
    },
    async idle() {
      cancelTimer?.();
      while (writing) await writing;
    },
  };
}

/**
 * What distinguishes one state from another. The number of attempts and the times do not, nor what a ready agent waits
 * for.
 */
function standingKey(told: Report): string {
  const { targetVersion, phase, activeCommit, error, waitingFor, drift, override, suspended } = told;
  const waits = phase === 'awaiting' ? null : waitingFor;
  return JSON.stringify([targetVersion, phase, activeCommit, error?.code, waits, drift, override, suspended]);
}
