import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fullJitter, spread } from '../../runtime/backoff.ts';
import { systemClock } from '../../runtime/clock.ts';
import { writeDurably } from '../../runtime/durable-file.ts';
import { classify, FleetError, isAbort } from '../../runtime/errors.ts';
import { createLog } from '../../runtime/log.ts';
import { clean } from '../../runtime/safe-text.ts';
import { createShutdown } from '../../runtime/shutdown.ts';

describe('classify is total', () => {
  it.each([
    ['a string', 'oops', 'INTERNAL', 'bug'],
    ['nothing', undefined, 'INTERNAL', 'bug'],
    ['an error', new TypeError('x is not a function'), 'INTERNAL', 'bug'],
    ['a full disk', Object.assign(new Error('write'), { code: 'ENOSPC' }), 'NO_SPACE', 'retry'],
    ['a directory for a file', Object.assign(new Error('x'), { code: 'EISDIR' }), 'NOT_A_FILE', 'retry'],
    ['a loop of links', Object.assign(new Error('x'), { code: 'ELOOP' }), 'NOT_A_FILE', 'retry'],
    ['an unknown errno', Object.assign(new Error('x'), { code: 'EWEIRD' }), 'INTERNAL', 'bug'],
  ])('%s', (_, thrown, code, next) => {
    expect(classify(thrown)).toMatchObject({ code, next });
  });

  it('leaves a FleetError as it is', () => {
    const failure = new FleetError({ code: 'HOLD', reason: 'r', hint: 'h', next: 'wait' });
    expect(classify(failure)).toBe(failure);
    expect(failure.toFailure()).toEqual({ code: 'HOLD', reason: 'r', hint: 'h', next: 'wait' });
  });
});

describe('what is logged', () => {
  function logged(write: (log: ReturnType<typeof createLog>) => void): string {
    const lines: string[] = [];
    write(createLog({ level: 'info' }, { write: (line: string) => void lines.push(line) }));
    return lines.join('');
  }

  it('masks credentials in urls wherever they stand', () => {
    const url = 'https://user:hunter2@git.example.com/r.git';
    const text = logged((log) => {
      log.info(`fetching ${url}`);
      log.info({ url, deep: { list: [url], a: { b: { c: { d: { url } } } } }, err: new Error(`failed: ${url}`) }, 'x');
      log.warn({ err: new FleetError({ code: 'FETCH_FAILED', reason: url, hint: url, next: 'retry' }) }, url);
    });
    expect(text).toContain('//***@git.example.com');
    expect(text).not.toContain('hunter2');
  });

  it('drops control bytes and what turns text around, and bounds the length', () => {
    expect(clean('a\u001b[2Jb\u0000c\u202ed')).toBe('a[2Jbcd');
    expect(clean('x'.repeat(5_000)).length).toBeLessThan(2_100);
    expect(clean('ssh://git@host/r.git')).toBe('ssh://git@host/r.git');
  });

  it('is not hurt by cycles, bigints and deep objects', () => {
    const cycle: Record<string, unknown> = { n: 5n };
    cycle['self'] = cycle;
    expect(logged((log) => log.info(cycle, 'x'))).toContain('"n":"5"');
  });
});

describe('delays', () => {
  it('full jitter stays between nothing and the ceiling, which doubles up to its most', () => {
    const backoff = { firstMs: 100, maxMs: 1_000 };
    expect([0, 1, 2, 3, 4, 50].map((attempt) => fullJitter(backoff, attempt, () => 1))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    expect(fullJitter(backoff, 5, () => 0)).toBe(0);
  });

  it('spread stays around its middle', () => {
    expect([0, 0.5, 1].map((random) => Math.round(spread(1_000, 0.2, () => random)))).toEqual([800, 1_000, 1_200]);
  });

  it('a sleep ends with its signal, and leaves no timer', async () => {
    const controller = new AbortController();
    const sleeping = systemClock.sleep(3_600_000, controller.signal);
    controller.abort(new DOMException('stop', 'AbortError'));
    await expect(sleeping).rejects.toSatisfy(isAbort);
    await expect(systemClock.sleep(1, controller.signal)).rejects.toSatisfy(isAbort);
  });
});

describe('a durable file', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gitfleet-durable-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is replaced whole, with its mode whatever the umask, and nothing aside is left', async () => {
    const file = join(directory, 'f');
    const before = process.umask(0o077);
    await writeDurably(file, 'one', 0o644);
    process.umask(before);
    await writeDurably(`${file}`, 'two', 0o644);
    expect(await readFile(file, 'utf8')).toBe('two');
    expect((await stat(file)).mode & 0o777).toBe(0o644);
    expect(await readdir(directory)).toEqual(['f']);
  });

  it('keeps the old content where the new cannot be written', async () => {
    const file = join(directory, 'missing', 'f');
    await expect(writeDurably(file, 'x')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('shutdown', () => {
  it('releases newest first, each once, whatever throws', async () => {
    const order: string[] = [];
    const errors: string[] = [];
    const shutdown = createShutdown((name) => void errors.push(name));
    shutdown.add('first', () => void order.push('first'));
    shutdown.add('broken', () => {
      throw new Error('no');
    });
    const takeBack = shutdown.add('gone', () => void order.push('gone'));
    shutdown.add('last', async () => void order.push('last'));
    takeBack();
    shutdown.ask();
    expect([shutdown.signal.aborted, order]).toEqual([true, []]);
    await Promise.all([shutdown.stop(), shutdown.stop()]);
    expect([order, errors]).toEqual([['last', 'first'], ['broken']]);
  });
});
