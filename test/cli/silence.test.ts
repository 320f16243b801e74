import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { cleanEnvironment, MAIN } from '../support/commands.ts';

/** Runs it until it ends, or has said `until` on standard error. */
function heard(args: readonly string[], stdout: 'pipe' | number, until?: RegExp) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: '/',
    env: cleanEnvironment(),
    stdio: ['ignore', stdout, 'pipe'],
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    said += text;
    if (until?.test(said)) child.kill('SIGKILL');
  });
  return new Promise<{ exitCode: number | null; said: string }>((resolve) =>
    child.on('close', (exitCode) => resolve({ exitCode, said })),
  );
}

async function vacantPort(): Promise<number> {
  const vacant = createServer();
  await new Promise<void>((resolve) => vacant.listen(0, '127.0.0.1', resolve));
  const { port } = vacant.address() as { port: number };
  await new Promise((resolve) => vacant.close(resolve));
  return port;
}

it('a server that does not answer is named while it is waited for', async () => {
  const server = createServer((socket) => socket.resume().on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const { said } = await heard(['status', '-z', `127.0.0.1:${port}`], 'pipe', /giving up/);
  server.close();
  expect(said).toBe(`no answer from 127.0.0.1:${port} yet; giving up in 28 s\n`);
});

it('while it is waited for, a refused port and an unknown name are told from each other and from silence', async () => {
  const port = await vacantPort();
  const [refused, unknown] = await Promise.all(
    [`127.0.0.1:${port}`, 'no-such-host.invalid:2181'].map((at) => heard(['status', '-z', at], 'pipe', /giving up/)),
  );
  const why = `127.0.0.1:${port}: the connection was refused (ECONNREFUSED)`;
  expect(refused?.said).toBe(`no answer from 127.0.0.1:${port} yet: ${why}; giving up soon\n`);
  // Where there is no DNS the look-up fails in another way.
  expect(unknown?.said).toMatch(
    /yet: the name no-such-host\.invalid (is not known|cannot be looked up now) \(E\w+\); /,
  );
});

it('where nothing listens on any port a command gives up within seconds, and says so', async () => {
  const ports = [await vacantPort(), await vacantPort()];
  const began = systemClock.monotonic();
  const { exitCode, said } = await heard(['status', '-z', ports.map((port) => `127.0.0.1:${port}`).join()], 'pipe');
  expect(exitCode).toBe(7);
  expect(said).toContain('UNREACHABLE: no ZooKeeper listens at 127.0.0.1:');
  expect(said).toContain('the connection was refused (ECONNREFUSED)');
  const took = systemClock.monotonic() - began;
  expect(took).toBeGreaterThan(3_900);
  expect(took).toBeLessThan(15_000);
});

it('an output that takes nothing is named on the other one', async () => {
  const { exitCode, said } = await heard(['--help'], openSync('/dev/full', 'w'));
  expect(exitCode).toBe(1);
  expect(said).toMatch(/^gitfleet: OUTPUT_FAILED: standard output: .*ENOSPC/);
});

it.each([[[]], [['hook']], [['history']], [['publish', '--bogus']]])(
  'a standard error that takes nothing changes no exit code: gitfleet %j',
  async (args: string[]) => {
    const stdio = ['ignore', 'ignore', openSync('/dev/full', 'w')] as const;
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: '/', env: cleanEnvironment(), stdio: [...stdio] });
    const ended = await new Promise((resolve) => child.on('close', (...how) => resolve(how)));
    expect(ended).toEqual([2, null]);
  },
);
