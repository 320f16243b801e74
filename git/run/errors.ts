import { type Failure, FleetError, type NextStep } from '../../runtime/errors.ts';
import { clean } from '../../runtime/log.ts';

/**
 * From git's words to our codes, in one table. Git runs with LC_ALL=C, so its words are stable English; what a server
 * says about itself (lines that begin with `remote:`) is never believed. The first row that matches wins, so the
 * rows about the cause stand before the rows about its consequence ("Could not read from remote repository").
 */
interface Row {
  readonly words: RegExp;
  readonly code: string;
  readonly next: NextStep;
  readonly hint: string;
}

const TABLE: readonly Row[] = [
  {
    // Git does not say why a write failed half-way; a full disk is by far the likeliest, and both are tried again.
    words: /No space left on device|Disk quota exceeded|unable to write file /,
    code: 'NO_SPACE',
    next: 'retry',
    hint: 'free disk space on this server; the agent tries again by itself',
  },
  {
    words: /Read-only file system/,
    code: 'READ_ONLY',
    next: 'retry',
    hint: 'the file system is read-only; remount it for writing',
  },
  {
    words: /Too many open files/,
    code: 'TOO_MANY_FILES',
    next: 'retry',
    hint: 'raise the limit of open files of the agent',
  },
  {
    words: /Cannot allocate memory|[Oo]ut of memory|unable to create thread/,
    code: 'NO_MEMORY',
    next: 'retry',
    hint: 'give this server more memory, or fetch when less else runs',
  },
  {
    words: /\.lock': File exists/,
    code: 'STORE_LOCKED',
    next: 'retry',
    hint: 'another git works in the store, or was killed there; the agent clears its own stale locks and tries again',
  },
  {
    words: /Host key verification failed|HOST IDENTIFICATION HAS CHANGED|host key is known for|No matching host key/i,
    code: 'HOST_KEY',
    next: 'stall',
    hint: 'compare the host key with its owner, then put it into the knownHosts file of this url',
  },
  {
    words: /transport '[^']*' not allowed/,
    code: 'PROTOCOL_REFUSED',
    next: 'stall',
    hint: 'list a prefix of this protocol in the settings of the agent, or publish an https or ssh url',
  },
  {
    words: /mismatched algorithms|unknown object format|unsupported object format|object format .* not supported/i,
    code: 'OBJECT_FORMAT',
    next: 'stall',
    hint: 'the repository and the commit id differ in their hash (40 digits: sha1, 64 digits: sha256)',
  },
  {
    words:
      /server certificate verification failed|SSL certificate problem|certificate subject name|self.signed certificate|certificate has expired|does not match target host name|no alternative certificate subject/i,
    code: 'TLS',
    next: 'stall',
    hint: 'check the certificate of the server, and caFile in the settings for this url',
  },
  {
    words: /error setting certificate (verify locations|file)|error adding trust anchors/i,
    code: 'CREDENTIAL_FILE',
    next: 'stall',
    hint: 'caFile must name a readable file of PEM certificates',
  },
  {
    words:
      /Permission denied \(|Permission denied, please try again|Authentication failed|could not read (Username|Password)|invalid credentials|returned error: (401|403|407)|Too many authentication failures|Load key ".*": /i,
    code: 'AUTH',
    next: 'stall',
    hint: 'check sshKeyFile or tokenFile in the settings for this url, and that this server may read the repository',
  },
  {
    words: /returned error: 30\d|unable to update url base from redirection/,
    code: 'REDIRECTED',
    next: 'stall',
    hint: 'redirects are never followed; publish the address that the server redirects to',
  },
  {
    words:
      /returned error: (404|410)|repository '.*' not found|Repository not found|does not appear to be a git repository|no such repository|repository not exported|access denied or repository not exported/i,
    code: 'REPOSITORY_NOT_FOUND',
    next: 'stall',
    hint: 'check the url; some servers also say this when the credentials may not see the repository',
  },
  {
    words: /dumb http transport/,
    code: 'DUMB_HTTP',
    next: 'stall',
    hint: 'the web server hands out plain files; serve the repository with git http-backend, or over ssh',
  },
  {
    words: /dubious ownership/,
    code: 'ORIGIN_OWNER',
    next: 'stall',
    hint: "the repository at the file url must belong to the agent's user; or serve it over ssh or https",
  },
  {
    words:
      /not our ref|unadvertised object|couldn't find remote ref|did not send all necessary objects|no such remote ref/i,
    code: 'COMMIT_NOT_FOUND',
    next: 'retry',
    hint: 'push the commit to the repository of this url; if it is there, name its branch as ref',
  },
  {
    words: /fsck error|error in object|badTree|hasDot|zeroPadded/,
    code: 'BAD_OBJECTS',
    next: 'stall',
    hint: 'the repository holds objects that git fsck refuses; repair it and publish another commit',
  },
  {
    words:
      /Could not resolve (host|hostname|proxy)|Name or service not known|Temporary failure in name resolution|Connection (refused|reset|closed|timed out)|Failed to connect|Couldn't connect|unable to connect|Network is unreachable|No route to host|Operation (too slow|timed out)|early EOF|hung up|unexpected disconnect|RPC failed|returned error: (429|5\d\d)|kex_exchange_identification|Broken pipe|gnutls_handshake|SSL_(read|connect|ERROR_SYSCALL)|Empty reply|unexpected flush packet|bad line length|expected packfile|protocol error|invalid index-pack output|index-pack failed|pack has bad object|pack is corrupted|pack signature mismatch|inflate returned/i,
    code: 'FETCH_FAILED',
    next: 'retry',
    hint: 'check that this server reaches the git server; the agent tries again by itself',
  },
  {
    words:
      /bad object|unable to read|corrupt|missing (blob|tree|commit|object)|is empty|packfile .* (cannot|does not)|not a git repository|invalid sha1 pointer|unable to (unpack|parse)|has a null/i,
    code: 'STORE_BROKEN',
    next: 'retry',
    hint: 'the object store of this app is damaged; the agent makes a new one beside it and goes on serving',
  },
  {
    words: /[Pp]ermission denied|Operation not permitted/,
    code: 'PERMISSION',
    next: 'retry',
    hint: 'check owner and mode of the named path for the agent user',
  },
];

/** The failure of one git command from its words; `otherwise` is the code where no row knows them. */
export function gitFailure(what: string, stderr: string, otherwise = 'GIT_FAILED'): FleetError {
  const believed = stderr.replace(/^remote: .*$/gm, '');
  const reason = `${what}: ${saying(stderr)}`;
  const row = TABLE.find(({ words }) => words.test(believed));
  if (row) return new FleetError({ code: row.code, next: row.next, hint: row.hint, reason });
  const hint = 'see the words of git in the reason; the agent tries again by itself';
  return new FleetError({ code: otherwise, next: 'retry', hint, reason });
}

/** A failure we find ourselves, in the same shape as those of the table. */
export function gitError(code: string, next: NextStep, reason: string, hint: string, cause?: unknown): FleetError {
  const plain: Failure = { code, next, reason: clean(reason), hint };
  return cause === undefined ? new FleetError(plain) : new FleetError(plain, { cause });
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
