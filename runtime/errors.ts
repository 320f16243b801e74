import type { NextStep } from './codes/row.ts';
import { type Code, codes } from './codes.ts';

export type { NextStep };

/**
 * What reports, journals and `--json` hold. `code` is text: another version may have written one that this version does
 * not know, and what is read stays readable.
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

/** What a place that fails has to say; what it leaves out is taken from the table. */
type Said = Pick<OwnFailure, 'code' | 'reason'> & Partial<OwnFailure>;

/**
 * The one type of every failure (docs/design.md, section 6).
 *
 * `code` is stable and the same in the log, the report and on the command line. `next` says what happens now:
 * `retry` (by itself, with backoff), `wait` (until something named changes), `stall` (a person must act; the newest
 * target clears it) or `bug` (ours). Classifying is total: whatever is thrown becomes a FleetError.
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

  /** The usual way: `next` is the table's, and the hint too unless the place knows a more exact one. */
  static of(code: Code, reason: string, hint?: string, cause?: unknown): FleetError {
    const said = hint === undefined ? { code, reason } : { code, reason, hint };
    return cause === undefined ? new FleetError(said) : new FleetError(said, { cause });
  }

  /** A failure that was read. A code of another version stays what it is; here it equals no code. */
  static kept(failure: Failure): FleetError {
    return new FleetError({ ...failure, code: failure.code as Code });
  }

  /** The plain value that reports and journals store. */
  toFailure(): OwnFailure {
    return { code: this.code, reason: this.message, hint: this.hint, next: this.next };
  }
}

/** What the operating system says and what it means for us; the source of each row is errno(3). */
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
  // What an agent's own layout found in the way waits for a person; here it may have changed by the next try.
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

/** Never throws. An unknown failure is a `bug`, so that it is seen, and never a crash. */
export function classify(thrown: unknown): FleetError {
  if (thrown instanceof FleetError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const errno = (thrown as { code?: unknown } | null)?.code;
  const known = typeof errno === 'string' ? SYSTEM[errno] : undefined;
  if (known) return new FleetError({ ...known, reason }, { cause: thrown });
  return FleetError.of('INTERNAL', reason, undefined, thrown);
}

/** True when the work was given up on purpose (an AbortSignal fired), which is nobody's failure. */
export function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'AbortError';
}
