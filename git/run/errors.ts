import { type Code, codes } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';
import { clean } from '../../runtime/safe-text.ts';
import { type GitWords, reasonOf, type Speaker, speakersOf } from './speakers.ts';

/**
 * Maps git's messages to our codes, in one table. Git runs with LC_ALL=C, so its messages are stable English. The first
 * matching row wins, so rows about a cause precede rows about its consequence.
 *
 * Each row says whose text it believes (speakers.ts), because text from another machine must never choose what this one
 * does. Without `from`, only our own git is believed. The other sources are believed only about the connection to the
 * host and its answer.
 */
interface Row {
  readonly words: RegExp;
  readonly code: Code;
  readonly from?: readonly Speaker[];
  /** If it is more exact than the hint of the code. */
  readonly hint?: string;
}

const ANY_SPEAKER: readonly Speaker[] = ['git', 'host', 'web', 'refusal'];
/** All sources but the answer in git's protocol, which only some rows recognise. */
const ON_THE_WAY: readonly Speaker[] = ['git', 'host', 'web'];

/** Either the received pack is bad, or the local objects that it builds on are damaged: git's message is the same. */
const PACK =
  /invalid index-pack output|index-pack failed|pack has bad object|pack is corrupted|pack signature mismatch|inflate/;

const TABLE: readonly Row[] = [
  {
    // `unable to write file` does not say why. A full disk is by far the likeliest cause, and either way the work is
    // retried.
    words: /No space left on device|Out of diskspace|Disk quota exceeded|unable to write file /,
    code: 'NO_SPACE',
  },
  {
    words: /Read-only file system/,
    code: 'READ_ONLY',
  },
  {
    words: /Too many open files/,
    code: 'TOO_MANY_FILES',
  },
  {
    words: /Cannot allocate memory|[Oo]ut of memory|unable to create thread/,
    code: 'NO_MEMORY',
  },
  {
    words: /File name too long/,
    code: 'NAME_TOO_LONG',
  },
  {
    words: /\.lock': File exists/,
    code: 'STORE_LOCKED',
  },
  {
    words: /Host key verification failed|HOST IDENTIFICATION HAS CHANGED|host key is known for|No matching host key/i,
    code: 'HOST_KEY',
    from: ['host'],
  },
  {
    words: /transport '[^']*' not allowed/,
    code: 'PROTOCOL_REFUSED',
  },
  {
    words: /mismatched algorithms|unknown object format|unsupported object format|object format .* not supported/i,
    code: 'OBJECT_FORMAT',
  },
  {
    words:
      /server certificate verification failed|SSL certificate problem|certificate subject name|self.signed certificate|certificate has expired|does not match target host name|no alternative certificate subject/i,
    code: 'TLS',
    from: ['web'],
  },
  {
    words: /error setting certificate (verify locations|file)|error adding trust anchors/i,
    code: 'CREDENTIAL_FILE',
    from: ['web'],
    hint: 'caFile must name a readable file of PEM certificates',
  },
  {
    words:
      /Permission denied \(|Permission denied, please try again|Authentication failed|could not read (Username|Password)|invalid credentials|returned error: (401|403|407)|Too many authentication failures|Load key ".*": /i,
    code: 'AUTH',
    from: ON_THE_WAY,
  },
  {
    words: /returned error: 30\d|unable to update url base from redirection/,
    code: 'REDIRECTED',
    from: ['git', 'web'],
  },
  {
    words:
      /returned error: (404|410)|repository '.*' not found|Repository not found|does not appear to be a git repository|no such repository|repository not exported|access denied or repository not exported/i,
    code: 'REPOSITORY_NOT_FOUND',
    from: ANY_SPEAKER,
  },
  {
    words: /dumb http transport|is this a git repository\?/,
    code: 'DUMB_HTTP',
  },
  {
    words: /dubious ownership/,
    code: 'ORIGIN_OWNER',
  },
  {
    words:
      /not our ref|unadvertised object|couldn't find remote ref|did not send all necessary objects|no such remote ref/i,
    code: 'COMMIT_NOT_FOUND',
    from: ANY_SPEAKER,
  },
  {
    words: /fsck error|error in object|badTree|hasDot|zeroPadded/,
    code: 'BAD_OBJECTS',
  },
  {
    words: /returned error: (429|503)/,
    code: 'ORIGIN_BUSY',
    from: ['web'],
  },
  {
    // Git found text in place of a length: the output of a login script, or of a proxy.
    words: /bad line length character/,
    code: 'FETCH_FAILED',
    hint: 'something prints to standard output before git answers, such as a login script of the git host: silence it',
  },
  {
    words: /No user exists for uid/,
    code: 'FETCH_FAILED',
    from: ['host'],
    hint: 'ssh does not start for a user without an entry in /etc/passwd: give the user of the agent one',
  },
  {
    words:
      /Could not resolve (host|hostname|proxy)|Name or service not known|Temporary failure in name resolution|Connection (refused|reset|closed|timed out)|Failed to connect|Couldn't connect|unable to connect|Network is unreachable|No route to host|Operation (too slow|timed out)|early EOF|hung up|unexpected disconnect|RPC failed|returned error: (429|5\d\d)|kex_exchange_identification|Broken pipe|gnutls_handshake|SSL_(read|connect|ERROR_SYSCALL)|Empty reply|unexpected flush packet|bad line length|expected packfile|protocol error|unable to access '/i,
    code: 'FETCH_FAILED',
    from: ON_THE_WAY,
  },
  {
    words:
      /bad object|unable to read|corrupt|missing (blob|tree|commit|object)|is empty|packfile .* (cannot|does not)|not a git repository|invalid sha1 pointer|unable to (unpack|parse)|has a null/i,
    code: 'STORE_BROKEN',
  },
  {
    words: /[Pp]ermission denied|Operation not permitted/,
    code: 'PERMISSION',
  },
  {
    words: PACK,
    code: 'FETCH_FAILED',
  },
];

/**
 * The failure of one git command, from its output. `otherwise` is the code if no row matches.
 * @param url the remote of the command.
 */
export function gitFailure(what: string, words: GitWords, otherwise: Code = 'GIT_FAILED', url = ''): FleetError {
  const said = speakersOf(words, url);
  const reason = `${what}: ${reasonOf(words, url)}`;
  const row = TABLE.find((each) => (each.from ?? OUR_GIT).some((speaker) => each.words.test(said[speaker])));
  if (row) return noting(row, FleetError.of(row.code, reason, row.hint));
  if (said.host !== '' || said.web !== '' || said.refusal !== '') return FleetError.of('FETCH_FAILED', reason);
  return FleetError.of(otherwise, reason, codes().GIT_FAILED.hint);
}

const OUR_GIT: readonly Speaker[] = ['git'];

/** Failures from the row of PACK: nothing in git's output blames the network. */
const unsoundPacks = new WeakSet<FleetError>();

function noting({ words }: Row, failure: FleetError): FleetError {
  if (words === PACK) unsoundPacks.add(failure);
  return failure;
}

/**
 * Whether a failure may come from damage in our own store: a command failed with unknown output, or crashed; a pack
 * does not fit the local objects; a file in `directory` is no longer what it was. A transfer that the network cut is no
 * damage, nor is a process that the system killed.
 * @param directory the store's. Without it, the path of the file does not matter.
 */
export function mayBeDamage(error: unknown, directory?: string): boolean {
  const { code, message, path } = error as { code?: unknown; message?: unknown; path?: unknown };
  if (code === 'GIT_FAILED') return true;
  if (code === 'GIT_KILLED') return CRASHED.test(String(message));
  if (code === 'FETCH_FAILED') return unsoundPacks.has(error as FleetError);
  if (typeof code !== 'string' || !ODD_SHAPE.has(code)) return false;
  return directory === undefined || (typeof path === 'string' && `${path}/`.startsWith(`${directory}/`));
}

/** Signals that bad input can cause, such as a mapped file that became shorter. */
const CRASHED = /was ended by SIG(BUS|SEGV|ABRT|FPE|ILL)$/;

/** Whether git or the operating system reported a full disk. */
export function isNoSpace(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'NO_SPACE' || code === 'ENOSPC' || code === 'EDQUOT';
}

/** A file in place of a directory or the reverse, or nothing at all. */
const ODD_SHAPE = new Set(['ENOTDIR', 'EISDIR', 'ERR_FS_EISDIR', 'ENOTEMPTY', 'EEXIST', 'ENOENT', 'ELOOP', 'EINVAL']);

/** A failure that we detect ourselves. Its reason is cleaned, because it may contain text from others. */
export function gitError(code: Code, reason: string, hint?: string, cause?: unknown): FleetError {
  return FleetError.of(code, clean(reason), hint, cause);
}
