import { CODES, type Code } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';
import { clean } from '../../runtime/safe-text.ts';

/**
 * From git's words to our codes, in one table. Git runs with LC_ALL=C, so its words are stable English; what a server
 * says about itself (lines that begin with `remote:`) is never believed. The first row that matches wins, so the
 * rows about the cause stand before the rows about its consequence ("Could not read from remote repository").
 */
interface Row {
  readonly words: RegExp;
  readonly code: Code;
  /** Where it is more exact than the hint of the code. */
  readonly hint?: string;
}

const TABLE: readonly Row[] = [
  {
    // Git does not say why a write failed half-way; a full disk is by far the likeliest, and both are tried again.
    words: /No space left on device|Disk quota exceeded|unable to write file /,
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
    words: /\.lock': File exists/,
    code: 'STORE_LOCKED',
  },
  {
    words: /Host key verification failed|HOST IDENTIFICATION HAS CHANGED|host key is known for|No matching host key/i,
    code: 'HOST_KEY',
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
  },
  {
    words: /returned error: 30\d|unable to update url base from redirection/,
    code: 'REDIRECTED',
  },
  {
    words:
      /returned error: (404|410)|repository '.*' not found|Repository not found|does not appear to be a git repository|no such repository|repository not exported|access denied or repository not exported/i,
    code: 'REPOSITORY_NOT_FOUND',
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
  },
  {
    words: /fsck error|error in object|badTree|hasDot|zeroPadded/,
    code: 'BAD_OBJECTS',
  },
  {
    words:
      /Could not resolve (host|hostname|proxy)|Name or service not known|Temporary failure in name resolution|Connection (refused|reset|closed|timed out)|Failed to connect|Couldn't connect|unable to connect|Network is unreachable|No route to host|Operation (too slow|timed out)|early EOF|hung up|unexpected disconnect|RPC failed|returned error: (429|5\d\d)|kex_exchange_identification|Broken pipe|gnutls_handshake|SSL_(read|connect|ERROR_SYSCALL)|Empty reply|unexpected flush packet|bad line length|expected packfile|protocol error|invalid index-pack output|index-pack failed|pack has bad object|pack is corrupted|pack signature mismatch|inflate returned/i,
    code: 'FETCH_FAILED',
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
];

/** The failure of one git command from its words; `otherwise` is the code where no row knows them. */
export function gitFailure(what: string, stderr: string, otherwise: Code = 'GIT_FAILED'): FleetError {
  const believed = stderr.replace(/^remote: .*$/gm, '');
  const reason = `${what}: ${saying(stderr)}`;
  const row = TABLE.find(({ words }) => words.test(believed));
  if (row) return FleetError.of(row.code, reason, row.hint);
  return FleetError.of(otherwise, reason, CODES.GIT_FAILED.hint);
}

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
