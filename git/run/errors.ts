import { type Code, codes } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';
import { clean } from '../../runtime/safe-text.ts';
import { type GitWords, reasonOf, type Speaker, speakersOf } from './speakers.ts';

/**
 * From git's words to our codes, in one table. Git runs with LC_ALL=C, so its words are stable English. The first row
 * that matches wins, so the rows about the cause stand before the rows about its consequence.
 *
 * Each row says whose words it believes (speakers.ts), because the text of another machine must never choose what this
 * one does. Without `from` that is our own git alone. The others are believed only about the way to the host and its
 * answer.
 */
interface Row {
  readonly words: RegExp;
  readonly code: Code;
  readonly from?: readonly Speaker[];
  /** Where it is more exact than the hint of the code. */
  readonly hint?: string;
}

const ANY_SPEAKER: readonly Speaker[] = ['git', 'host', 'web', 'refusal'];
/** All but the answer in git's protocol, which only some rows know. */
const ON_THE_WAY: readonly Speaker[] = ['git', 'host', 'web'];

/** What came was no sound pack, or the objects here that it builds on are damaged: git says the same of both. */
const PACK =
  /invalid index-pack output|index-pack failed|pack has bad object|pack is corrupted|pack signature mismatch|inflate/;

const TABLE: readonly Row[] = [
  {
    // Git does not say why a write failed half-way; a full disk is by far the likeliest, and both are tried again.
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
    // Four letters of what is there in place of a length: a login script that greets, or a proxy.
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
 * The failure of one git command from its words; `otherwise` is the code where no row knows them.
 * @param url of the other end of the command.
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

/** Failures that the row of PACK chose: no word about the network explains them. */
const unsoundPacks = new WeakSet<FleetError>();

function noting({ words }: Row, failure: FleetError): FleetError {
  if (words === PACK) unsoundPacks.add(failure);
  return failure;
}

/**
 * Whether a failure without a row of its own may come from damage in our own store: of a command that ended with words
 * we do not know, or that crashed, of a pack that does not fit what is here, of a file in `directory` that is no longer
 * what it was. A transfer that the network cut is no damage, nor is a process that the system killed.
 * @param directory of the store; without it the path of a file does not matter.
 */
export function mayBeDamage(error: unknown, directory?: string): boolean {
  const { code, message, path } = error as { code?: unknown; message?: unknown; path?: unknown };
  if (code === 'GIT_FAILED') return true;
  if (code === 'GIT_KILLED') return CRASHED.test(String(message));
  if (code === 'FETCH_FAILED') return unsoundPacks.has(error as FleetError);
  if (typeof code !== 'string' || !ODD_SHAPE.has(code)) return false;
  return directory === undefined || (typeof path === 'string' && `${path}/`.startsWith(`${directory}/`));
}

/** By what it read, such as a file that is shorter than it was when it was mapped. */
const CRASHED = /was ended by SIG(BUS|SEGV|ABRT|FPE|ILL)$/;

/** Of git or of the operating system. */
export function isNoSpace(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'NO_SPACE' || code === 'ENOSPC' || code === 'EDQUOT';
}

/** A file where a directory belongs, or the other way round, or nothing at all. */
const ODD_SHAPE = new Set(['ENOTDIR', 'EISDIR', 'ERR_FS_EISDIR', 'ENOTEMPTY', 'EEXIST', 'ENOENT', 'ELOOP', 'EINVAL']);

/** A failure we find ourselves: its reason may hold what others said. */
export function gitError(code: Code, reason: string, hint?: string, cause?: unknown): FleetError {
  return FleetError.of(code, clean(reason), hint, cause);
}
