import type { NextStep } from '../runtime/errors.ts';
import { type Outcome, ZooKeeperError } from './errors.ts';

interface Meaning {
  code: string;
  next: NextStep;
  hint: string;
}

const AGAIN = 'it is tried again by itself';

/** What a server's result code means for us. Source: KeeperException.Code of ZooKeeper 3.9. */
const MEANINGS: Record<number, Meaning> = {
  [-1]: { code: 'SYSTEM_ERROR', next: 'retry', hint: 'read the log of the ZooKeeper servers' },
  [-2]: { code: 'RUNTIME_INCONSISTENCY', next: 'retry', hint: 'read the log of the ZooKeeper servers' },
  [-3]: { code: 'DATA_INCONSISTENCY', next: 'retry', hint: 'read the log of the ZooKeeper servers' },
  [-4]: { code: 'CONNECTION_LOSS', next: 'retry', hint: AGAIN },
  [-5]: { code: 'MARSHALLING_ERROR', next: 'bug', hint: 'the server could not read our request: please report it' },
  [-6]: { code: 'UNIMPLEMENTED', next: 'stall', hint: 'this ZooKeeper is too old; 3.5 is the least' },
  [-7]: { code: 'OPERATION_TIMEOUT', next: 'retry', hint: AGAIN },
  [-8]: { code: 'BAD_ARGUMENTS', next: 'bug', hint: 'the server refused our request as malformed: please report it' },
  [-13]: { code: 'NEW_CONFIG_NO_QUORUM', next: 'retry', hint: 'the ensemble is being reconfigured' },
  [-14]: { code: 'RECONFIG_IN_PROGRESS', next: 'retry', hint: 'the ensemble is being reconfigured' },
  [-100]: { code: 'API_ERROR', next: 'bug', hint: 'please report it' },
  [-101]: { code: 'NO_NODE', next: 'wait', hint: 'somebody has to create this node, such as gitfleet init' },
  [-102]: {
    code: 'NO_AUTH',
    next: 'stall',
    hint: 'give a file of gitfleet init that allows this: zookeeper.authFile, GITFLEET_AUTH_FILE or --auth-file',
  },
  [-103]: { code: 'BAD_VERSION', next: 'retry', hint: 'somebody else changed it first: read it again and decide anew' },
  [-108]: { code: 'NO_CHILDREN_FOR_EPHEMERALS', next: 'bug', hint: 'an ephemeral node cannot be a parent' },
  [-110]: { code: 'NODE_EXISTS', next: 'retry', hint: 'somebody else created it first' },
  [-111]: { code: 'NOT_EMPTY', next: 'retry', hint: 'somebody created a node below it meanwhile' },
  [-112]: { code: 'SESSION_EXPIRED', next: 'retry', hint: 'a new session is made by itself' },
  [-113]: { code: 'INVALID_CALLBACK', next: 'bug', hint: 'please report it' },
  [-114]: { code: 'INVALID_ACL', next: 'stall', hint: 'an entry of the access list is malformed; check scheme and id' },
  [-115]: { code: 'AUTH_FAILED', next: 'stall', hint: 'check scheme and credential in zookeeper.authFile' },
  [-118]: { code: 'SESSION_MOVED', next: 'retry', hint: AGAIN },
  [-119]: { code: 'NOT_READ_ONLY', next: 'retry', hint: 'this server has lost its quorum' },
  [-120]: { code: 'EPHEMERAL_ON_LOCAL_SESSION', next: 'stall', hint: 'allow local sessions to upgrade on the servers' },
  [-121]: { code: 'NO_WATCHER', next: 'bug', hint: 'please report it' },
  [-122]: { code: 'REQUEST_TIMEOUT', next: 'retry', hint: AGAIN },
  [-123]: { code: 'RECONFIG_DISABLED', next: 'stall', hint: 'reconfiguration is switched off on the servers' },
  [-124]: { code: 'SASL_REQUIRED', next: 'stall', hint: 'these servers demand SASL, which gitfleet does not speak' },
  [-125]: { code: 'QUOTA_EXCEEDED', next: 'stall', hint: 'raise the quota on this path, or remove what is old' },
  [-127]: { code: 'THROTTLED', next: 'retry', hint: 'the server is overloaded' },
};

/** Codes after which the server may nevertheless have done it. */
const UNSURE = new Set([-1, -2, -3, -4, -7, -122]);

export function errorFor(resultCode: number, at: { op: string; path: string; failedAt?: number }): ZooKeeperError {
  const known = MEANINGS[resultCode];
  const meaning = known ?? { code: 'UNKNOWN_CODE', next: 'retry' as const, hint: 'a newer server than we know' };
  const outcome: Outcome = !known || UNSURE.has(resultCode) ? 'unknown' : 'none';
  const reason = `${at.op} ${at.path}: ${meaning.code}${known ? '' : ` ${resultCode}`}`;
  return new ZooKeeperError({ ...meaning, reason }, { ...at, outcome });
}

const OWN = {
  DEADLINE: ['retry', 'ZooKeeper did not answer in time; see gitfleet zk status'],
  CONNECTION_LOSS: ['retry', 'the connection broke before the answer came: read before trying again'],
  CLOSED: ['bug', 'the session was closed before this call'],
  QUEUE_FULL: ['retry', 'too many calls wait for ZooKeeper to come back'],
  TOO_LARGE: ['stall', 'a node holds at most 1,000,000 bytes; keep large things in git'],
  BAD_PATH: ['bug', 'a path is / or /segment/segment, without empty or dot segments'],
  BAD_ARGUMENTS: ['bug', 'please report it'],
} satisfies Record<string, [NextStep, string]>;

/** A failure that no server said: ours, or the line's. */
export function failureOfCode(
  code: keyof typeof OWN,
  at: { op: string; path: string; outcome: Outcome; words?: string },
): ZooKeeperError {
  const [next, hint]: [NextStep, string] = OWN[code];
  const reason = `${at.op} ${at.path}: ${at.words ?? code}`;
  return new ZooKeeperError({ code, reason, hint, next }, { path: at.path, outcome: at.outcome });
}
