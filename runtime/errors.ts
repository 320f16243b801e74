/**
 * The one type of every failure (docs/design.md, section 6).
 *
 * `code` is stable and the same in the log, the report and on the command line. `next` says what happens now:
 * `retry` (by itself, with backoff), `wait` (until something named changes), `stall` (a person must act; the newest
 * target clears it) or `bug` (ours). Classifying is total: whatever is thrown becomes a FleetError.
 */
export type NextStep = 'retry' | 'wait' | 'stall' | 'bug';

export interface Failure {
  code: string;
  reason: string;
  hint: string;
  next: NextStep;
}

export class FleetError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly next: NextStep;

  constructor(failure: Failure, options?: { cause?: unknown }) {
    super(failure.reason, options);
    this.name = 'FleetError';
    this.code = failure.code;
    this.hint = failure.hint;
    this.next = failure.next;
  }

  /** The plain value that reports and journals store. */
  toFailure(): Failure {
    return { code: this.code, reason: this.message, hint: this.hint, next: this.next };
  }
}

/** What the operating system says and what it means for us; the source of each row is errno(3). */
const SYSTEM: Record<string, Omit<Failure, 'reason'>> = {
  ENOSPC: { code: 'NO_SPACE', hint: 'free disk space on this server; the agent tries again by itself', next: 'retry' },
  EDQUOT: { code: 'NO_SPACE', hint: 'raise the disk quota of the agent; it tries again by itself', next: 'retry' },
  EROFS: { code: 'READ_ONLY', hint: 'the file system is read-only; remount it for writing', next: 'retry' },
  EACCES: { code: 'PERMISSION', hint: 'check owner and mode of the named path for the agent user', next: 'retry' },
  EPERM: { code: 'PERMISSION', hint: 'check owner and mode of the named path for the agent user', next: 'retry' },
  EMFILE: { code: 'TOO_MANY_FILES', hint: 'raise the limit of open files of the agent', next: 'retry' },
  ENFILE: { code: 'TOO_MANY_FILES', hint: 'raise the limit of open files of this server', next: 'retry' },
  EAGAIN: { code: 'TOO_MANY_PROCESSES', hint: 'raise the limit of processes of the agent', next: 'retry' },
  ENOMEM: { code: 'NO_MEMORY', hint: 'free memory on this server; the agent tries again by itself', next: 'retry' },
  EBUSY: {
    code: 'BUSY',
    hint: 'something holds the named path, such as a mount; the agent tries again',
    next: 'retry',
  },
  ESTALE: { code: 'IO_ERROR', hint: 'the network file system lost the named path; remount it', next: 'retry' },
  ENOENT: { code: 'VANISHED', hint: 'something outside removed the named path; the agent tries again', next: 'retry' },
  ENOTDIR: {
    code: 'NOT_DIR',
    hint: 'a file is where the named path needs a directory: move it away, or name another path',
    next: 'retry',
  },
  ENAMETOOLONG: {
    code: 'NAME_TOO_LONG',
    hint: 'the file system takes no name as long as the named one, and we put some letters behind it: choose a shorter one',
    next: 'stall',
  },
  EIO: { code: 'IO_ERROR', hint: 'the disk reports errors; check the hardware', next: 'retry' },
};

/** Never throws. An unknown failure is a `bug`, so that it is seen, and never a crash. */
export function classify(thrown: unknown): FleetError {
  if (thrown instanceof FleetError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const errno = (thrown as { code?: unknown } | null)?.code;
  const known = typeof errno === 'string' ? SYSTEM[errno] : undefined;
  if (known) return new FleetError({ ...known, reason }, { cause: thrown });
  const hint = 'this is a defect in gitfleet: please report it with the log lines around it';
  return new FleetError({ code: 'INTERNAL', reason, hint, next: 'bug' }, { cause: thrown });
}

/** True when the work was given up on purpose (an AbortSignal fired), which is nobody's failure. */
export function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'AbortError';
}
