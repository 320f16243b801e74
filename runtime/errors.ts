import type { NextStep } from './codes/row.ts';
import { type Code, codes } from './codes.ts';

export type { NextStep };

/**
 * A failure as in reports, journals and `--json`. `code` is any string: another version may have written one that this
 * version does not know, and that must remain readable.
 */
export interface Failure {
  code: string;
  reason: string;
  hint: string;
  next: NextStep;
}

/** A failure that this version makes: its code is a row of the table. */
export interface OwnFailure extends Failure {
  code: Code;
}

/** What the failing code provides; the rest is taken from the table. */
type Said = Pick<OwnFailure, 'code' | 'reason'> & Partial<OwnFailure>;

/**
 * The one type of every failure (docs/design.md, section 6).
 *
 * `code` is stable, and the same in the log, the report and on the command line. `next` says what happens next: `retry`
 * (automatically, with backoff), `wait` (until something named changes), `stall` (a person must act; the newest target
 * clears it) or `bug` (a defect of gitfleet). `classify` is total: whatever is thrown becomes a FleetError.
 */
export class FleetError extends Error {
  readonly code: Code;
  readonly hint: string;
  readonly next: NextStep;

  constructor(said: Said, options?: { cause?: unknown }) {
    super(said.reason, options);
    this.name = 'FleetError';
    this.code = said.code;
    this.hint = said.hint ?? codes()[said.code].hint;
    this.next = said.next ?? codes()[said.code].next;
  }

  /** The usual way: `next` comes from the table, and so does the hint unless a more exact one is given. */
  static of(code: Code, reason: string, hint?: string, cause?: unknown): FleetError {
    const said = hint === undefined ? { code, reason } : { code, reason, hint };
    return cause === undefined ? new FleetError(said) : new FleetError(said, { cause });
  }

  /** A failure that was read. The code of another version is kept; it equals no code of this version. */
  static kept(failure: Failure): FleetError {
    return new FleetError({ ...failure, code: failure.code as Code });
  }

  /** The plain value that reports and journals store. */
  toFailure(): OwnFailure {
    return { code: this.code, reason: this.message, hint: this.hint, next: this.next };
  }
}

/** What the operating system's errors mean for us; the source of each row is errno(3). */
const SYSTEM: Readonly<Record<string, Omit<Said, 'reason'>>> = {
  ENOSPC: { code: 'NO_SPACE' },
  EDQUOT: { code: 'NO_SPACE', hint: 'raise the disk quota of the agent; it tries again automatically' },
  EROFS: { code: 'READ_ONLY' },
  EACCES: { code: 'PERMISSION' },
  EPERM: { code: 'PERMISSION' },
  EMFILE: { code: 'TOO_MANY_FILES' },
  ENFILE: { code: 'TOO_MANY_FILES', hint: 'raise the limit of open files of this server' },
  EAGAIN: { code: 'TOO_MANY_PROCESSES' },
  ENOMEM: { code: 'NO_MEMORY' },
  EBUSY: { code: 'BUSY' },
  ESTALE: { code: 'IO_ERROR', hint: 'the network file system lost the named path; remount it' },
  ENOENT: { code: 'VANISHED' },
  // The table's `stall` is for what an agent's layout finds in the way. Here it may have changed by the next attempt.
  ENOTDIR: {
    code: 'NOT_DIR',
    hint: 'a file is where the named path needs a directory: move it away, or name another path',
    next: 'retry',
  },
  EFTYPE: { code: 'NOT_A_FILE' },
  EISDIR: { code: 'NOT_A_FILE' },
  ERR_FS_EISDIR: { code: 'NOT_A_FILE' },
  ELOOP: { code: 'NOT_A_FILE' },
  EFBIG: { code: 'FILE_TOO_LARGE' },
  ENAMETOOLONG: { code: 'NAME_TOO_LONG' },
  EIO: { code: 'IO_ERROR', hint: 'the disk reports errors; check the hardware' },
};

/** Never throws. An unknown failure is a `bug`, so that it is noticed, and never a crash. */
export function classify(thrown: unknown): FleetError {
  if (thrown instanceof FleetError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const errno = (thrown as { code?: unknown } | null)?.code;
  const known = typeof errno === 'string' ? SYSTEM[errno] : undefined;
  if (known) return new FleetError({ ...known, reason }, { cause: thrown });
  return FleetError.of('INTERNAL', reason, undefined, thrown);
}

/** Whether the work was aborted on purpose (an AbortSignal fired), which is no failure. */
export function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'AbortError';
}
