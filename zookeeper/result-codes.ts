import type { Code } from '../runtime/codes.ts';
import { type WriteOutcome, ZooKeeperError } from './errors.ts';

/** The result code for a missing node. */
export const NO_NODE = -101;

/** What a server's result code means for us. Source: KeeperException.Code of ZooKeeper 3.9. */
const MEANINGS: Readonly<Record<number, Code>> = {
  [-1]: 'SYSTEM_ERROR',
  [-2]: 'RUNTIME_INCONSISTENCY',
  [-3]: 'DATA_INCONSISTENCY',
  [-4]: 'CONNECTION_LOSS',
  [-5]: 'MARSHALLING_ERROR',
  [-6]: 'UNIMPLEMENTED',
  [-7]: 'OPERATION_TIMEOUT',
  [-8]: 'BAD_ARGUMENTS',
  [-13]: 'NEW_CONFIG_NO_QUORUM',
  [-14]: 'RECONFIG_IN_PROGRESS',
  [-100]: 'API_ERROR',
  [NO_NODE]: 'NO_NODE',
  [-102]: 'NO_AUTH',
  [-103]: 'BAD_VERSION',
  [-108]: 'NO_CHILDREN_FOR_EPHEMERALS',
  [-110]: 'NODE_EXISTS',
  [-111]: 'NOT_EMPTY',
  [-112]: 'SESSION_EXPIRED',
  [-113]: 'INVALID_CALLBACK',
  [-114]: 'INVALID_ACL',
  [-115]: 'AUTH_FAILED',
  [-118]: 'SESSION_MOVED',
  [-119]: 'NOT_READ_ONLY',
  [-120]: 'EPHEMERAL_ON_LOCAL_SESSION',
  [-121]: 'NO_WATCHER',
  [-122]: 'REQUEST_TIMEOUT',
  [-123]: 'RECONFIG_DISABLED',
  [-124]: 'SASL_REQUIRED',
  [-125]: 'QUOTA_EXCEEDED',
  [-127]: 'THROTTLED',
};

/** Codes after which the server may still have performed the write. */
const UNSURE = new Set([-1, -2, -3, -4, -7, -122]);

export function errorFor(resultCode: number, at: { op: string; path: string; failedAt?: number }): ZooKeeperError {
  const known = MEANINGS[resultCode];
  const code = known ?? 'UNKNOWN_CODE';
  const outcome: WriteOutcome = !known || UNSURE.has(resultCode) ? 'unknown' : 'none';
  const reason = `${at.op} ${at.path}: ${code}${known ? '' : ` ${resultCode}`}`;
  return new ZooKeeperError({ code, reason }, { ...at, outcome });
}

/** A failure that no server reported: ours, or the connection's. */
export function failureOfCode(
  code: Code,
  at: { op: string; path: string; outcome: WriteOutcome; words?: string; hint?: string },
): ZooKeeperError {
  const reason = `${at.op} ${at.path}: ${at.words ?? code}`;
  const said = at.hint === undefined ? { code, reason } : { code, reason, hint: at.hint };
  return new ZooKeeperError(said, { path: at.path, outcome: at.outcome });
}
