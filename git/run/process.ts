import { rm } from 'node:fs/promises';
import type { Clock } from '../../runtime/clock.ts';
import { classify, type FleetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { ASIDE_FD, type RunResult, run } from '../../runtime/process.ts';
import { clean } from '../../runtime/safe-text.ts';
import { gitError, gitFailure } from './errors.ts';
import type { GitWords } from './speakers.ts';

/**
 * The only permitted way to start git. The environment is built from nothing, so no setting of the machine or the user
 * applies. Protocols are closed unless the call opens one. No hook, pager, prompt, replace ref or file system monitor
 * runs. The whole process group is killed at the deadline or on abort. What git writes to stderr is cleaned before it
 * is returned. A value from outside may only follow `--` or `--end-of-options`; the code that puts it there has to
 * check it.
 *
 * Not promised here: that a command ends soon (deadline.ts watches fetches), or that it succeeds.
 */
export interface GitSandbox {
  readonly clock: Clock;
  readonly log: Logger;
  /** The PATH for git, ssh and their helpers. */
  readonly path?: string | undefined;
  /** The state lock: every git process holds it too, so that a successor cannot start beside an orphan. */
  readonly lockFd?: number | undefined;
  /**
   * More environment variables for all our children: the marks of orphans.ts, or the objects of a push (check-push.ts).
   */
  readonly marks?: Readonly<Record<string, string>> | undefined;
}

export interface GitCall {
  /** The repository. Always explicit, never discovered, so that no `.git` of a work tree is trusted. */
  readonly gitDir?: string | undefined;
  readonly workTree?: string | undefined;
  readonly cwd?: string | undefined;
  /** Further `key=value` settings. */
  readonly config?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Protocols that this call may use; none by default. */
  readonly protocols?: readonly string[] | undefined;
  readonly input?: string | Buffer | undefined;
  /** Lock files that git creates and cannot remove if it is killed. Nothing else may create them during the call. */
  readonly locks?: readonly string[] | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly maxBytes?: number | undefined;
  /** Bytes of memory that git and its helpers may hold. Called at each check. */
  readonly maxMemoryBytes?: (() => number) | undefined;
  readonly onOutput?: ((stream: 'stdout' | 'stderr', chunk: Buffer) => void) | undefined;
}

interface GitSaid extends GitWords {
  readonly exitCode: number;
  readonly stdout: Buffer;
}

export interface Git {
  readonly sandbox: GitSandbox;
  /**
   * Resolves when git exited, whatever the exit code. Rejects if it was aborted (with the signal's reason), overdue or
   * killed.
   */
  run(args: readonly string[], call?: GitCall): Promise<GitSaid>;
  /** The output of a command that must succeed; otherwise rejects with the failure of errors.ts. */
  output(args: readonly string[], call?: GitCall): Promise<string>;
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const TIMEOUT_MS = 10 * 60_000;
const MAX_BYTES = 64 * 1024 * 1024;
/** For git and its helpers; packs that they map do not count. */
export const MAX_MEMORY_BYTES = 2 * 1024 ** 3;

/** Settings of every git process. Only literals of ours: nothing from outside is ever added to this list. */
export const HARDENING: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.autocrlf=false',
  'core.fileMode=true',
  'core.symlinks=true',
  'core.protectNTFS=true',
  'core.protectHFS=true',
  'core.fsync=committed',
  'core.logAllRefUpdates=false',
  'credential.helper=',
  'fetch.fsckObjects=true',
  'fetch.writeCommitGraph=false',
  'transfer.bundleURI=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'submodule.recurse=false',
  'protocol.version=2',
  'http.followRedirects=false',
  'http.lowSpeedLimit=1000',
  'http.lowSpeedTime=30',
  'advice.detachedHead=false',
];

/** The whole environment of a git process. */
export function environment(sandbox: Pick<GitSandbox, 'path' | 'marks'>, protocols: readonly string[] = []) {
  return {
    PATH: sandbox.path ?? DEFAULT_PATH,
    HOME: '/dev/null',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: protocols.join(':'),
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LFS_SKIP_SMUDGE: '1',
    ...sandbox.marks,
  };
}

/** The arguments before the command: repository and settings. */
export function preamble(call: Pick<GitCall, 'gitDir' | 'workTree' | 'config'>): string[] {
  return [
    ...(call.gitDir === undefined ? [] : [`--git-dir=${call.gitDir}`]),
    ...(call.workTree === undefined ? [] : [`--work-tree=${call.workTree}`]),
    ...[...HARDENING, ...(call.config ?? [])].flatMap((setting) => ['-c', setting]),
  ];
}

export function createGit(sandbox: GitSandbox): Git {
  async function runGit(args: readonly string[], call: GitCall = {}): Promise<GitSaid> {
    const started = sandbox.clock.monotonic();
    const cwd = call.cwd ?? call.workTree ?? call.gitDir;
    const timeoutMs = call.timeoutMs ?? TIMEOUT_MS;
    const result = await withPlainUmask(() =>
      run(['git', ...preamble(call), ...args], {
        ...(cwd === undefined ? {} : { cwd }),
        env: { ...environment(sandbox, call.protocols), ...apart(call.env) },
        clock: sandbox.clock,
        timeoutMs,
        ...(call.signal === undefined ? {} : { signal: call.signal }),
        ...(call.input === undefined ? {} : { input: call.input }),
        maxBytes: call.maxBytes ?? MAX_BYTES,
        maxMemoryBytes: call.maxMemoryBytes ?? (() => MAX_MEMORY_BYTES),
        keep: 'all',
        aside: call.env?.['GIT_SSH_COMMAND'] !== undefined,
        ...(sandbox.lockFd === undefined ? {} : { inherit: [sandbox.lockFd] }),
        ...(call.onOutput === undefined ? {} : { onOutput: call.onOutput }),
      }),
    );
    const stderr = linesOf(result.stderr);
    const ms = Math.round(sandbox.clock.monotonic() - started);
    sandbox.log.debug({ git: args[0], ms, exitCode: result.exitCode, ended: result.ended }, 'git ran');
    if (result.ended === 'exit' && result.exitCode !== null) {
      return { exitCode: result.exitCode, stdout: result.stdout, stderr, sshStderr: linesOf(result.aside) };
    }
    await Promise.all((call.locks ?? []).map((lock) => rm(lock, { force: true })));
    throw notEnded(args[0] ?? 'git', result, timeoutMs, call.signal);
  }

  return {
    sandbox,
    run: runGit,
    async output(args, call) {
      const said = await runGit(args, call);
      if (said.exitCode === 0) return said.stdout.toString('utf8');
      throw gitFailure(`git ${args[0]}`, said);
    },
  };
}

/** Gives ssh, and what the host prints through it, a stream of its own; speakers.ts says why. */
function apart(env: GitCall['env']): GitCall['env'] {
  const ssh = env?.['GIT_SSH_COMMAND'];
  return ssh === undefined ? env : { ...env, GIT_SSH_COMMAND: `2>&${ASIDE_FD} ${ssh}` };
}

/** Cleaned text. A progress meter ends its lines with a carriage return, which `clean` would drop. */
const linesOf = (words: Buffer): string => clean(words.toString('utf8').replaceAll('\r', '\n'), 20_000);

/**
 * Other users read work trees, so their modes must not depend on the umask that the agent was started with. Node has no
 * umask per child, but spawning is synchronous: no other code runs between the two calls.
 */
export function withPlainUmask<T>(start: () => T): T {
  const before = process.umask(0o022);
  try {
    return start();
  } finally {
    process.umask(before);
  }
}

function notEnded(command: string, result: RunResult, timeoutMs: number, signal: AbortSignal | undefined): unknown {
  if (result.ended === 'abort') return signal?.reason;
  if (result.ended === 'timeout') {
    return gitError('GIT_TIMEOUT', `git ${command} did not end within ${timeoutMs} ms`);
  }
  if (result.ended === 'too-much-output') {
    const hint = 'the repository is larger than the limits of the agent';
    return gitError('TOO_LARGE', `git ${command} printed more than the limit`, hint);
  }
  if (result.ended === 'too-much-memory') {
    return gitError('NO_MEMORY', `git ${command} held more memory than the limit`);
  }
  if (result.ended === 'not-started') return notStarted(result);
  return gitError('GIT_KILLED', `git ${command} was ended by ${result.signal}`);
}

function notStarted(result: RunResult): FleetError {
  if (result.cause?.code !== 'ENOENT') return classify(result.cause);
  return gitError('NO_GIT', 'git was not found', undefined, result.cause);
}
