import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { cleanEnvironment, gitfleet, MAIN } from '../../support/commands.ts';
import { proxiesForTest, type TcpProxy } from '../../support/proxy.ts';
import { SOAK } from '../../support/seeded.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/*
 * Twenty processes at a time want to be inside. What proves that never two are is the kernel: each command takes a lock
 * on one file with flock(1), without waiting, and exits 99 where another one has it. Some holders are killed, some cut off
 * until their session is over, some interrupted for a moment; a command that ignores SIGTERM is among them.
 */
const AT_ONCE = 20;
const ROUNDS = SOAK ? 200 : 20;
const KINDS = ['plain', 'killed', 'plain', 'cut off', 'interrupted', 'stubborn'] as const;
type Kind = (typeof KINDS)[number];

const servers = sharedServer();
const openProxy = proxiesForTest();
let folder: string;
let said: number;
const children = new Set<ChildProcess>();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitfleet-guarded-'));
  said = openSync(join(folder, 'said'), 'a');
  for (const name of ['inside', 'passed']) writeFileSync(join(folder, name), '');
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  closeSync(said);
  rmSync(folder, { recursive: true, force: true });
});

const passed = () =>
  readFileSync(join(folder, 'passed'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ') as [round: string, fence: string, pid: string]);

/** A command that says that it is inside, and stays there for a while. */
function command(round: number, kind: Kind): string[] {
  const seconds = kind === 'plain' ? 0.1 : kind === 'interrupted' ? 1 : 20;
  const stubborn = kind === 'stubborn' ? "trap '' TERM; " : '';
  const script = `${stubborn}echo ${round} $GITFLEET_FENCE $$ >> passed; sleep ${seconds}`;
  return ['flock', '-n', '-E', '99', 'inside', 'sh', '-c', script];
}

function start(verb: 'lock' | 'elect', round: number, kind: Kind, zookeeper: string) {
  const child = spawn(process.execPath, [MAIN, verb, '/guarded/one', '--', ...command(round, kind)], {
    cwd: folder,
    env: cleanEnvironment({ GITFLEET_ZOOKEEPER: zookeeper, GITFLEET_SESSION_TIMEOUT: '2s' }),
    stdio: ['ignore', 'ignore', said],
  });
  children.add(child);
  const ended = new Promise<string | number | null>((resolve) => {
    child.once('exit', (code, signal) => {
      children.delete(child);
      resolve(signal ?? code);
    });
  });
  return { child, ended };
}

const isInside = (round: number) => passed().some(([of]) => of === String(round));

async function fault(kind: Kind, child: ChildProcess, proxy: TcpProxy): Promise<void> {
  if (kind === 'killed') child.kill('SIGKILL');
  if (kind === 'interrupted') proxy.cut();
  if (kind === 'cut off' || kind === 'stubborn') await proxy.mode('drop');
}

const EXPECTED: Readonly<Record<Kind, string | number>> = {
  plain: 0,
  killed: 'SIGKILL',
  'cut off': 75,
  interrupted: 0,
  stubborn: 75,
};

describe.each(['lock', 'elect'] as const)('gitfleet %s', (verb) => {
  it(`never lets two commands run at once, in ${ROUNDS} rounds of ${AT_ONCE} processes with kills and lost sessions`, {
    timeout: 900_000,
  }, async () => {
    let round = 0;
    const ended: Record<string, (string | number | null)[]> = {};
    async function contend(): Promise<void> {
      while (round < ROUNDS) {
        const mine = round++;
        const kind = KINDS[mine % KINDS.length] as Kind;
        const proxy = await openProxy(servers);
        const { child, ended: end } = start(verb, mine, kind, proxy.connect);
        let over = false;
        void end.then(() => {
          over = true;
        });
        while (!over && !isInside(mine)) await clock.sleep(20);
        await fault(kind, child, proxy);
        ended[kind] = [...(ended[kind] ?? []), await end];
        await proxy.stop();
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, contend));
    const words = readFileSync(join(folder, 'said'), 'utf8');
    for (const kind of KINDS) expect([kind, new Set(ended[kind])], words).toEqual([kind, new Set([EXPECTED[kind]])]);
    const fences = passed().map(([, fence]) => BigInt(fence));
    expect(fences).toHaveLength(ROUNDS);
    expect(fences).toEqual(fences.toSorted((a, b) => Number(a - b)));
    // Nothing that was inside lives on, those of killed parents included.
    const alive = () => passed().filter(([, , pid]) => isAlive(Number(pid)));
    await expect.poll(alive, { timeout: 5_000 }).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the verbs for shells', () => {
  const env = () => ({ GITFLEET_ZOOKEEPER: servers.connect() });
  const run = (...words: string[]) => gitfleet(words, { cwd: folder, env: env() });

  it('exit as their command does, and give it the fence', async () => {
    const first = await run('lock', 'stack', '--', 'sh', '-c', 'echo $GITFLEET_FENCE; exit 7');
    expect(first).toMatchObject({ exitCode: 7, stdout: expect.stringMatching(/^\d+\n$/) });
    const second = await run('elect', 'stack', '--', 'sh', '-c', 'echo $GITFLEET_FENCE; kill -9 $$');
    expect(second).toMatchObject({ exitCode: 137, stderr: '' });
    expect(BigInt(second.stdout)).toBeGreaterThan(BigInt(first.stdout));
    expect((await run('lock', 'stack', '--', 'no-such-command')).exitCode).toBe(127);
    // What the command runs may be gitfleet itself, which must know the variable.
    expect((await run('lock', 'stack', '--', process.execPath, MAIN, 'lock', 'other', '--', 'true')).exitCode).toBe(0);
  });

  it('give up after --wait, and refuse what is no name and what is not theirs', async () => {
    const holder = spawn(process.execPath, [MAIN, 'lock', 'stack', '--', 'sh', '-c', 'echo in >> passed; sleep 60'], {
      cwd: folder,
      env: cleanEnvironment(env()),
      stdio: 'ignore',
    });
    children.add(holder);
    await expect.poll(() => passed().length, { timeout: 30_000 }).toBe(1);
    const late = await run('lock', '--wait', '200ms', 'stack', '--', 'true');
    expect(late).toMatchObject({ exitCode: 6, stderr: expect.stringContaining('LOCK_TAKEN') });
    for (const [name, code] of [
      ['/app/business/hold', 'ZNODE_RESERVED'],
      ['/zookeeper', 'ZNODE_RESERVED'],
      ['a//b', 'ZNODE'],
    ] as const) {
      const refused = await run('lock', name, '--', 'true');
      expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(code) });
    }
    expect(await run('lock', 'stack', '--wait', '5', '--', 'true')).toMatchObject({ exitCode: 2 });
    expect(await run('elect', 'stack')).toMatchObject({ exitCode: 2 });
    const gone = new Promise((resolve) => holder.once('exit', (code) => resolve(code)));
    // A signal is the command's; then the lock is free at once.
    holder.kill('SIGTERM');
    expect(await gone).toBe(143);
    expect((await run('lock', '--wait', '2s', 'stack', '--', 'true')).exitCode).toBe(0);
  });

  it('end what the command leaves running in its group', async () => {
    const left = await run('lock', 'stack', '--', 'sh', '-c', 'sleep 60 & echo $! >> passed');
    expect(left.exitCode).toBe(0);
    const [[pid]] = passed() as unknown as [[string]];
    await expect.poll(() => isAlive(Number(pid)), { timeout: 5_000 }).toBe(false);
  });
});
