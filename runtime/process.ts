import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from './clock.ts';
import { memoryOf } from './group-memory.ts';
import { whyNoEntry } from './no-entry.ts';

export interface RunOptions {
  cwd?: string;
  /** The whole environment: nothing is inherited. */
  env: Record<string, string>;
  clock: Clock;
  timeoutMs: number;
  /** At the deadline or on abort, the group first gets SIGTERM and this long to end; by default SIGKILL at once. */
  gentleMs?: number;
  signal?: AbortSignal;
  input?: string | Buffer;
  /**
   * Bytes kept of each stream. Beyond that, the oldest are dropped (`keep: 'tail'`) or the run is ended (`keep:
   * 'all'`).
   */
  maxBytes: number;
  keep: 'all' | 'tail';
  /** Bytes of memory that it and its children may hold. Called at each check, four times a second. */
  maxMemoryBytes?: () => number;
  /** The child gets a third output stream, ASIDE_FD: for text that must not be mistaken for its own output. */
  aside?: boolean;
  /** More descriptors for the child to inherit, from the next number on. */
  inherit?: number[];
  /** Where it starts. Everything in it is killed with the group. */
  enclosure?: Enclosure | null;
  /** Called with the leader of the new process group, before anything else happens. */
  onStarted?: (pid: number) => void;
  /** Called for each chunk that arrives, so that a caller can extend a deadline with progress. */
  onOutput?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
}

/** A container that children cannot leave by creating their own process group. The functions themselves never throw. */
export interface Enclosure {
  /** Calls `spawn` so that the new process starts inside. */
  readonly start: <T>(spawn: () => T) => T;
  /** Sends SIGKILL to everything inside. */
  readonly kill: () => void;
}

export interface RunResult {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: Buffer;
  /** The end of the output on ASIDE_FD. */
  aside: Buffer;
  ended: 'exit' | 'timeout' | 'abort' | 'too-much-output' | 'too-much-memory' | 'not-started';
  /** Why it did not start (ENOENT ...), if `ended` is 'not-started'. */
  cause?: NodeJS.ErrnoException;
  /** The reason behind ENOENT. */
  why?: string;
}

export const ASIDE_FD = 3;
const MAX_ASIDE_BYTES = 64 * 1024;

/**
 * Runs one command without a shell, in its own process group. At the deadline, on abort, and at too much output or
 * memory, the whole group is killed, so that no helper process survives; with an enclosure, also processes that left
 * the group. Always resolves, even if the program does not exist; never rejects. Ends with the child's exit, not with
 * the closing of its pipes, so that a grandchild that keeps a pipe open cannot delay the caller.
 */
export function run(argv: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve) => {
    const stdout = collector(options);
    const stderr = collector(options);
    const aside = collector({ maxBytes: MAX_ASIDE_BYTES, keep: 'tail' });
    if (options.signal?.aborted) return resolve(notRun('abort'));
    const [program, ...args] = argv as [string, ...string[]];
    const start = () =>
      spawn(program, args, {
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        env: options.env,
        detached: true,
        stdio: [
          options.input === undefined ? 'ignore' : 'pipe',
          'pipe',
          'pipe',
          ...(options.aside ? (['pipe'] as const) : []),
          ...(options.inherit ?? []),
        ],
      });
    let child: ReturnType<typeof start>;
    try {
      child = options.enclosure ? options.enclosure.start(start) : start();
    } catch (error) {
      // Node refuses some calls before the system sees them, such as a NUL byte in an argument.
      return resolve({ ...notRun('not-started'), cause: error as NodeJS.ErrnoException });
    }
    if (child.pid !== undefined) options.onStarted?.(child.pid);
    const third = options.aside ? (child.stdio[ASIDE_FD] as Readable | null | undefined) : undefined;
    let ended: RunResult['ended'] = 'exit';
    let cause: NodeJS.ErrnoException | undefined;
    let cancelKill = () => {};
    const kill = () => {
      killGroup(child.pid);
      options.enclosure?.kill();
    };
    const end = (why: RunResult['ended']) => {
      if (ended === 'exit') ended = why;
      if (options.gentleMs === undefined || why.startsWith('too-much')) return kill();
      killGroup(child.pid, 'SIGTERM');
      cancelKill = options.clock.after(options.gentleMs, kill);
    };
    const cancelTimeout = options.clock.after(options.timeoutMs, () => end('timeout'));
    const cancelMemory = watchMemory(options, child.pid, () => end('too-much-memory'));
    const onAbort = () => end('abort');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const finish = (exitCode: number | null, signal: NodeJS.Signals | null) => {
      cancelTimeout();
      cancelMemory();
      cancelKill();
      // Kill what outlived the leader, so that nothing is left of a group that had to end.
      if (ended !== 'exit') kill();
      options.signal?.removeEventListener('abort', onAbort);
      child.stdout?.destroy();
      child.stderr?.destroy();
      third?.destroy();
      const streams = { stdout: stdout.take(), stderr: stderr.take(), aside: aside.take() };
      resolve({
        exitCode,
        signal,
        ...streams,
        ended,
        ...(cause ? { cause, ...reasonOf(cause, program, options) } : {}),
      });
    };
    for (const [name, stream, into] of [
      ['stdout', child.stdout, stdout],
      ['stderr', child.stderr, stderr],
    ] as const) {
      stream?.on('data', (chunk: Buffer) => {
        options.onOutput?.(name, chunk);
        if (!into.add(chunk)) end('too-much-output');
      });
    }
    third?.on('data', aside.add);
    child.stdin?.on('error', () => {}); // EPIPE: the child did not read its input; its exit code says enough.
    child.stdin?.end(options.input);
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return; // A failed kill; the exit still comes.
      ended = 'not-started';
      cause = error;
      finish(null, null);
    });
    child.on('exit', (exitCode, signal) => {
      // After an exit nothing more is written: 'close' follows unless a grandchild holds the pipe.
      const cancel = options.clock.after(250, () => finish(exitCode, signal));
      child.once('close', () => {
        cancel();
        finish(exitCode, signal);
      });
    });
  });
}

const LOOK_MS = 250;

function watchMemory({ clock, maxMemoryBytes }: RunOptions, pid: number | undefined, exceeded: () => void): () => void {
  if (maxMemoryBytes === undefined || pid === undefined) return () => {};
  const look = () => {
    if (memoryOf(pid) > maxMemoryBytes()) exceeded();
    else cancel = clock.after(LOOK_MS, look);
  };
  let cancel = clock.after(LOOK_MS, look);
  return () => cancel();
}

function reasonOf({ code }: NodeJS.ErrnoException, program: string, { cwd = '/', env }: RunOptions): { why?: string } {
  return code === 'ENOENT' ? { why: whyNoEntry(program, cwd, env['PATH'] ?? '') } : {};
}

/** How a run ended, as text to follow the command's name. */
export function howItEnded({ ended, cause, why, signal, exitCode }: RunResult, timeoutMs: number): string {
  if (ended === 'not-started')
    return `could not be started (${cause?.code ?? 'unknown reason'}${why ? `: ${why}` : ''})`;
  if (ended === 'timeout') return `did not end within ${timeoutMs} ms and was killed`;
  return signal ? `was ended by ${signal}` : `exited with ${exitCode}`;
}

function notRun(ended: RunResult['ended']): RunResult {
  return {
    exitCode: null,
    signal: null,
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
    aside: Buffer.alloc(0),
    ended,
  };
}

/** Kills a process group of ours. Succeeds if it is already gone. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function collector(options: Pick<RunOptions, 'maxBytes' | 'keep'>) {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    add(chunk: Buffer): boolean {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= options.maxBytes) return true;
      if (options.keep === 'all') return false;
      while (chunks[0] && size - chunks[0].length >= options.maxBytes) size -= chunks.shift()?.length ?? 0;
      return true;
    },
    take(): Buffer {
      const whole = Buffer.concat(chunks);
      return options.keep === 'tail' ? whole.subarray(Math.max(0, whole.length - options.maxBytes)) : whole;
    },
  };
}
