import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../runtime/clock.ts';
import { type RunOptions, run } from '../../runtime/process.ts';
import { until } from '../support/until.ts';
import '../support/lanes/starts-processes.ts';

const options: RunOptions = {
  env: { PATH: process.env['PATH'] ?? '' },
  clock,
  timeoutMs: 20_000,
  maxBytes: 1_000,
  keep: 'all',
};
const sh = (script: string, more: Partial<RunOptions> = {}) => run(['sh', '-c', script], { ...options, ...more });

/** Processes whose command line contains `word`. */
function alive(word: string): number {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
    } catch {
      return false;
    }
  }).length;
}

describe('run', () => {
  it('gives exit code and both streams', async () => {
    const result = await sh('echo out; echo err >&2; exit 3');
    expect(result).toMatchObject({ exitCode: 3, signal: null, ended: 'exit' });
    expect([result.stdout.toString(), result.stderr.toString()]).toEqual(['out\n', 'err\n']);
  });

  it.each([
    ['a NUL byte', 'a\0b', 'ERR_INVALID_ARG_VALUE'],
    ['more than the system takes', 'x'.repeat(4_000_000), 'E2BIG'],
  ])('says that a program was not started, for a word with %s', async (_, word, code) => {
    expect(await run(['echo', word], options)).toMatchObject({
      ...{ ended: 'not-started', exitCode: null, signal: null },
      cause: { code },
    });
  });

  it('inherits nothing of the environment', async () => {
    process.env['CANARY'] = 'secret';
    const result = await sh('env');
    delete process.env['CANARY'];
    expect(result.stdout.toString()).not.toContain('CANARY');
  });

  it('kills the whole group at the deadline, grandchildren included', async () => {
    const word = `71${process.pid}`;
    const result = await sh(`sleep ${word} & sleep ${word}`, { timeoutMs: 200 });
    expect(result.ended).toBe('timeout');
    await until('nothing is left', async () => alive(word) === 0);
  });

  it('kills it on abort, and does not start where the signal has fired', async () => {
    const word = `72${process.pid}`;
    const controller = new AbortController();
    const running = sh(`sleep ${word}`, { signal: controller.signal });
    await until('it runs', async () => alive(word) > 0);
    controller.abort();
    expect((await running).ended).toBe('abort');
    await until('nothing is left', async () => alive(word) === 0);
    expect((await sh('exit 0', { signal: controller.signal })).ended).toBe('abort');
  });

  it('ends on the exit of the child though a daemon of it holds the pipes', async () => {
    const word = `73${process.pid}`;
    const started = performance.now();
    const result = await sh(`setsid sleep ${word} & echo started`);
    expect(result).toMatchObject({ exitCode: 0, ended: 'exit' });
    expect(result.stdout.toString()).toBe('started\n');
    expect(performance.now() - started).toBeLessThan(15_000);
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word)) process.kill(Number(pid));
      } catch {}
    }
  });

  it('ends what prints too much, or keeps the tail', async () => {
    expect((await sh('yes | head -c 100000')).ended).toBe('too-much-output');
    const tail = await sh('yes a | head -c 100000; echo end', { keep: 'tail' });
    expect(tail.ended).toBe('exit');
    expect(tail.stdout.length).toBe(1_000);
    expect(tail.stdout.toString().endsWith('end\n')).toBe(true);
  });

  it('says why a program did not start', async () => {
    expect(await run(['/nonexistent/program'], options)).toMatchObject({
      ended: 'not-started',
      cause: { code: 'ENOENT' },
    });
    expect(await sh('exit 0', { cwd: '/nonexistent' })).toMatchObject({
      ended: 'not-started',
      why: 'there is no directory /nonexistent',
    });
  });

  it('is not hurt by a child that does not read its input', async () => {
    expect(await run(['true'], { ...options, input: Buffer.alloc(1_000_000) })).toMatchObject({ exitCode: 0 });
  });
});
