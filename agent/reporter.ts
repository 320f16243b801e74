import type { Clock } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import { toJson } from '../schemas/lenient-json.ts';
import { type Report, report } from '../schemas/report.ts';
import { isCode } from '../zookeeper/errors.ts';
import { type AclEntry, ANY_VERSION, type Session } from '../zookeeper/session.ts';

export interface ReporterParts {
  readonly session: Session;
  readonly path: string;
  /** Of the report's node: only this agent may write it. */
  readonly acl: readonly AclEntry[];
  /** Whether this process owns its presence; only then it may speak under its id. */
  readonly mayWrite: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Reporter {
  /** `final`: written at once; else coalesced to one write per second, the newest wins. Never throws or waits. */
  say(next: Report, final: boolean): void;
  /** Writes the last report again, e.g. after presence was regained. */
  repeat(): void;
  /** Resolves when nothing is on its way any more. */
  idle(): Promise<void>;
}

const COALESCE_MS = 1_000;
/** A deployment that is over sooner than this reports once, when it is over. */
const INTERIM_DELAY_MS = 250;
/** Writes per agent and targetVersion that are not final (docs/design.md, section 3: at most five in all). */
const MOST_INTERIM = 3;

export function createReporter(parts: ReporterParts): Reporter {
  let pending: { report: Report; final: boolean } | null = null;
  let last: Report | null = null;
  let interim = { targetVersion: null as string | null, writes: 0 };
  let cancelTimer: (() => void) | null = null;
  let lastWriteAt = Number.NEGATIVE_INFINITY;
  let writing: Promise<void> | null = null;

  function flush(): void {
    cancelTimer?.();
    cancelTimer = null;
    if (writing || !pending || !parts.mayWrite()) return;
    const next = pending;
    pending = null;
    lastWriteAt = parts.clock.monotonic();
    if (!next.final) interim.writes += 1;
    writing = write(next.report)
      .catch((error: unknown) => {
        pending ??= next;
        const { code, message } = classify(error);
        parts.log.warn({ code, reason: message }, 'report not written, will be repeated');
        cancelTimer ??= parts.clock.after(COALESCE_MS, flush);
      })
      .finally(() => {
        writing = null;
        if (pending && !cancelTimer) flush();
      });
  }

  async function write(next: Report): Promise<void> {
    const data = toJson(report, next);
    try {
      await parts.session.set(parts.path, data, ANY_VERSION);
    } catch (error) {
      if (!isCode(error, 'NO_NODE')) throw error;
      await parts.session.create(parts.path, data, 'persistent', { acl: parts.acl });
    }
  }

  return {
    say(next, final) {
      last = next;
      if (interim.targetVersion !== next.targetVersion) interim = { targetVersion: next.targetVersion, writes: 0 };
      if (!final && interim.writes >= MOST_INTERIM) return;
      pending = { report: next, final };
      const wait = final ? 0 : Math.max(INTERIM_DELAY_MS, lastWriteAt + COALESCE_MS - parts.clock.monotonic());
      if (wait <= 0) flush();
      else cancelTimer ??= parts.clock.after(wait, flush);
    },
    repeat() {
      pending ??= last && { report: last, final: true };
      flush();
    },
    async idle() {
      cancelTimer?.();
      while (writing) await writing;
    },
  };
}
