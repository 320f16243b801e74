import { type Code, codes } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';
import { clean } from '../../runtime/safe-text.ts';

/**
 * From git's words to our codes, in one table. Git runs with LC_ALL=C, so its words are stable English. The first row
 * that matches wins, so the rows about the cause stand before the rows about its consequence.
 *
 * Each row says whose words it believes, because the text of another machine must never choose what this one does:
 *
 * - `git`: our own git alone. What a host prints never leads to these codes.
 * - `host`: also what comes before `fatal: Could not read from remote repository`, which is the ssh client's or the
 *   host's: only about the way to the host and its answer.
 * - `refusal`: also the text of `remote error:`, for the two answers that only the host can give.
 *
 * Lines that begin with `remote:` are never believed.
 */
interface Row {
  readonly words: RegExp;
  readonly code: Code;
  readonly from?: 'git' | 'host' | 'refusal';
  /** Where it is more exact than the hint of the code. */
  readonly hint?: string;
}

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
    from: 'host',
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
  },
  {
    words: /error setting certificate (verify locations|file)|error adding trust anchors/i,
    code: 'CREDENTIAL_FILE',
    hint: 'caFile must name a readable file of PEM certificates',
  },
  {
    words:
      /Permission denied \(|Permission denied, please try again|Authentication failed|could not read (Username|Password)|invalid credentials|returned error: (401|403|407)|Too many authentication failures|Load key ".*": /i,
    code: 'AUTH',
    from: 'host',
  },
  {
    words: /returned error: 30\d|unable to update url base from redirection/,
    code: 'REDIRECTED',
  },
  {
    words:
      /returned error: (404|410)|repository '.*' not found|Repository not found|does not appear to be a git repository|no such repository|repository not exported|access denied or repository not exported/i,
    code: 'REPOSITORY_NOT_FOUND',
    from: 'refusal',
  },
  {
    words: /dumb http transport/,
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
    from: 'refusal',
  },
  {
    words: /fsck error|error in object|badTree|hasDot|zeroPadded/,
    code: 'BAD_OBJECTS',
  },
  {
    words:
      /Could not resolve (host|hostname|proxy)|Name or service not known|Temporary failure in name resolution|Connection (refused|reset|closed|timed out)|Failed to connect|Couldn't connect|unable to connect|Network is unreachable|No route to host|Operation (too slow|timed out)|early EOF|hung up|unexpected disconnect|RPC failed|returned error: (429|5\d\d)|kex_exchange_identification|Broken pipe|gnutls_handshake|SSL_(read|connect|ERROR_SYSCALL)|Empty reply|unexpected flush packet|bad line length|expected packfile|protocol error|unable to access '/i,
    code: 'FETCH_FAILED',
    from: 'host',
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
 * @param url of the other end of the command: for `file:` that is a git on this machine, believed like our own.
 */
export function gitFailure(what: string, stderr: string, otherwise: Code = 'GIT_FAILED', url = ''): FleetError {
  const said = url.startsWith('file:') ? { git: stderr, host: '', refusal: '' } : speakersOf(stderr);
  const reason = `${what}: ${saying(stderr)}`;
  const row = TABLE.find(({ words, from = 'git' }) => {
    const believed = [said.git, from === 'git' ? '' : said.host, from === 'refusal' ? said.refusal : ''];
    return believed.some((text) => words.test(text));
  });
  if (row) return noting(row, FleetError.of(row.code, reason, row.hint));
  if (said.host !== '' || said.refusal !== '') return FleetError.of('FETCH_FAILED', reason);
  return FleetError.of(otherwise, reason, codes().GIT_FAILED.hint);
}

/** Who said what: our git, the host or the ssh client before our git gave up, the host in an answer of the protocol. */
function speakersOf(stderr: string): { git: string; host: string; refusal: string } {
  const [own = '', ...refusal] = stderr.split(/(?:fatal: )?remote error: /);
  const lines = own.split('\n').filter((line) => !line.startsWith('remote: '));
  const end = lines.findIndex((line) => line.startsWith('fatal: Could not read from remote repository'));
  if (end < 0) return { git: lines.join('\n'), host: '', refusal: refusal.join('\n') };
  return { git: '', host: lines.slice(0, end + 1).join('\n'), refusal: refusal.join('\n') };
}

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

/** The lines that carry the cause, cleaned and short enough for a report. */
function saying(stderr: string): string {
  const lines = clean(stderr, 20_000)
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(hint:|From |remote: (Counting|Compressing|Enumerating|Total)|\* )/.test(line));
  const telling = lines.filter((line) => /fatal:|error:|ssh:|denied|failed|refused|reset|@|No space/i.test(line));
  const chosen = (telling.length > 0 ? telling : lines).slice(0, 4).join(' | ');
  return clean(chosen || 'git said nothing', 600);
}
