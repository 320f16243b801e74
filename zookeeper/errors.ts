import type { Code } from '../runtime/codes.ts';
import { FleetError } from '../runtime/errors.ts';

/** `none`: the server did not perform it. `unknown`: it may have; find out before trying again. */
export type WriteOutcome = 'none' | 'unknown';

export class ZooKeeperError extends FleetError {
  readonly path: string;
  readonly outcome: WriteOutcome;
  /** In a transaction: the index of the operation that was refused. */
  readonly failedAt: number | undefined;

  constructor(
    failure: { code: Code; reason: string; hint?: string },
    at: { path: string; outcome: WriteOutcome; failedAt?: number; cause?: unknown },
  ) {
    super(failure, { cause: at.cause });
    this.name = 'ZooKeeperError';
    this.path = at.path;
    this.outcome = at.outcome;
    this.failedAt = at.failedAt;
  }
}

/** True for a ZooKeeperError of one of these codes, e.g. `isCode(error, 'BAD_VERSION', 'NODE_EXISTS')`. */
export function isCode(error: unknown, ...codes: Code[]): error is ZooKeeperError {
  return error instanceof ZooKeeperError && codes.includes(error.code);
}
