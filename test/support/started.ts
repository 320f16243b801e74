import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanEnvironment, MAIN } from './commands.ts';
import { isAlive, processesIn, type SeenProcess, watchProcesses } from './processes.ts';
import { until } from './until.ts';

/**
 * A gitfleet command that runs until it ends or is ended, with its own temporary directory, which it must leave empty.
 */
export interface Started {
  readonly pid: number;
  /** Its whole output so far, standard error included. */
  readonly said: string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
  /** Waits until it has printed this. */
  prints(words: RegExp): Promise<RegExpExecArray>;
  /** Its processes that are alive now, and the content of its temporary directory. */
  left(): Promise<string[]>;
  /** To be called once it has ended: none of its processes is alive, and its temporary directory is empty. */
  leavesNothing(): Promise<void>;
  /** Ends what is left of it and removes its directory. */
  cleanUp(): Promise<void>;
}

export async function start(args: readonly string[]): Promise<Started> {
  const scratch = await mkdtemp(join(tmpdir(), 'gitfleet-started-'));
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: '/',
    env: cleanEnvironment({ TMPDIR: scratch }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid as number;
  const watch = watchProcesses(pid, 50);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    // Not its exit: its last output may still be on its way then.
    child.on('error', reject).on('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
  });
  const alive = (): SeenProcess[] => {
    const found = [...watch.alive(), ...processesIn(scratch)].map((each) => [each.pid, each] as const);
    return [...new Map(found).values()];
  };
  const left = async () => [
    ...alive().map(({ pid, command }) => `process ${pid}: ${command.replaceAll('\0', ' ').slice(0, 300)}`),
    ...(await readdir(scratch)),
  ];
  return {
    pid,
    get said() {
      return said;
    },
    ended,
    kill: (signal) => void child.kill(signal),
    prints: (words) =>
      until(`${args.join(' ')} prints ${words}`, async () => {
        const found = words.exec(said);
        if (!found && child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said}`);
        return found;
      }),
    left,
    async leavesNothing() {
      await ended;
      // The kernel may need a moment to end a killed process.
      await until('nothing is left', async () => {
        const there = await left();
        if (there.length > 0) throw new Error(there.join('\n'));
        return true;
      });
    },
    async cleanUp() {
      watch.stop();
      for (const each of alive()) if (isAlive(each)) process.kill(each.pid, 'SIGKILL');
      await ended;
      await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
