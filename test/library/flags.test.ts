import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { changeFlag } from '../../fleet/flags/change-flags.ts';
import { parseWanted, withDefinition, withFlag } from '../../fleet/flags/edit.ts';
import { createClient } from '../../library/create-client.ts';
import type { FlagsChange } from '../../library/index.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import { silentLog as log } from '../support/log.ts';
import { fakeKit } from '../support/zookeeper/kit.ts';

const kit = fakeKit();
const wide = { timeout: 30_000 };
const backoff = { firstMs: 5, maxMs: 50 };
let count = 0;
let app: string;
let writer: Session;
let file: string;

beforeEach(async () => {
  app = `/app/library${++count}`;
  writer = kit.open(kit.connect(), { backoff });
  await initApp(writer, znodes(app), openAccess);
  const directory = await mkdtemp(join(tmpdir(), 'gitfleet-library-flags-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  file = join(directory, 'flags.json');
});

function client(connect = kit.connect()) {
  const session = kit.open(connect, { backoff, sessionTimeoutMs: 2_000 });
  return createClient(session, [], { clock, random, log });
}

const change = (flag: string, word: string | null, variants: string[] = []) =>
  changeFlag(
    { session: writer, znodes: znodes(app), access: openAccess, now: clock.now },
    {
      ...{ flag, by: 'ann', reason: '', via: 'set' as const },
      edit: (flags) =>
        word === null ? withDefinition(flags, flag, null) : withFlag(flags, flag, parseWanted(word), variants),
    },
  );
const documentWith = (flag: string, variant: 'on' | 'off') =>
  JSON.stringify({
    flags: { [flag]: { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: variant } },
  });

async function watch(of = client(), options = {}) {
  const flags = await of.flags.watch(app, options);
  onTestFinished(() => flags.close());
  return flags;
}

/** A client whose server is away from its start: nothing listens there. */
async function withoutServer() {
  const line = await kit.openLine();
  await line.mode('refuse');
  return { away: client(line.connect), line };
}

describe('flags of an app', () => {
  it('are read, and asked without waiting', async () => {
    await change('checkout', 'on');
    await change('colour', 'green', ['red', 'green']);
    const flags = await client().flags.read(app);
    expect(flags.names().toSorted()).toEqual(['checkout', 'colour']);
    expect(flags.evaluate('checkout')).toEqual({ value: true, variant: 'on', reason: 'STATIC' });
    expect([flags.value('checkout', false), flags.value('colour', 'red')]).toEqual([true, 'green']);
    await change('checkout', 'off');
    expect(flags.value('checkout', false)).toBe(true);
  });

  it('give the default of the program where they say nothing or have another type', async () => {
    await change('checkout', 'on');
    const flags = await client().flags.read(app);
    expect([flags.value('checkout', 'x'), flags.value('checkout', 3), flags.value('nothing', true)]).toEqual([
      'x',
      3,
      true,
    ]);
    expect(flags.value('checkout', { a: 1 })).toEqual({ a: 1 });
  });

  it('are refused where there are none, and where the name is no app znode', async () => {
    await expect(client().flags.read('/app/nothing')).rejects.toMatchObject({ code: 'FLAGS_MISSING' });
    await expect(client().flags.read('app')).rejects.toMatchObject({ code: 'ZNODE', next: 'stall' });
    await expect(client().flags.watch('/zookeeper/../x')).rejects.toMatchObject({ code: 'ZNODE' });
  });

  it('have the same share of the keys as everywhere', async () => {
    await change('checkout', '25%');
    const flags = await watch();
    await flags.ready();
    const on = Array.from({ length: 1_000 }, (_, at) => flags.value('checkout', false, { targetingKey: `user-${at}` }));
    expect(Math.abs(on.filter(Boolean).length - 250)).toBeLessThan(60);
  });
});

describe('watched flags', () => {
  it('are the present ones, and tell what changed', async () => {
    await change('checkout', 'on');
    const flags = await watch();
    const told: FlagsChange[] = [];
    flags.onChange((each) => told.push(each));
    await flags.ready();
    expect(flags.value('checkout', false)).toBe(true);
    await change('payments', 'off');
    await expect.poll(() => flags.names(), wide).toContain('payments');
    await change('checkout', null);
    await expect.poll(() => flags.names(), wide).toEqual(['payments']);
    expect(told.flatMap((each) => each.flags)).toEqual(['checkout', 'payments', 'checkout']);
    expect(new Set(told.map(({ state }) => state))).toEqual(new Set(['ready']));
  });

  it('have the right value at the start of a program while ZooKeeper is away', async () => {
    await writeFile(file, documentWith('checkout', 'on'));
    const { away } = await withoutServer();
    const flags = await watch(away, { file });
    expect([flags.state, flags.asOf, flags.value('checkout', false)]).toEqual(['stale', 0, true]);
    const none = await watch(away);
    expect([none.state, none.value('checkout', false), none.value('checkout', true)]).toEqual(['none', false, true]);
    await expect(none.ready(AbortSignal.timeout(20))).rejects.toThrow('timeout');
  });

  it('come from ZooKeeper before the file, and from both never together', async () => {
    await writeFile(file, documentWith('checkout', 'on'));
    await change('payments', 'on');
    const { away, line } = await withoutServer();
    const flags = await watch(away, { file });
    expect(flags.names()).toEqual(['checkout']);
    await line.mode('pass');
    await flags.ready(AbortSignal.timeout(30_000));
    expect(flags.names()).toEqual(['payments']);
    expect(flags.value('checkout', false)).toBe(false);
  });

  it('stay as they are while ZooKeeper is away, and say since when', async () => {
    await change('checkout', 'on');
    const line = await kit.openLine();
    const flags = await watch(client(line.connect));
    await flags.ready();
    const before = clock.now();
    await line.mode('refuse');
    line.cut();
    await expect.poll(() => flags.state, wide).toBe('stale');
    await change('checkout', 'off');
    expect(flags.value('checkout', false)).toBe(true);
    expect(flags.asOf).toBeGreaterThanOrEqual(before);
    await line.mode('pass');
    await expect.poll(() => [flags.state, flags.value('checkout', true)], wide).toEqual(['ready', false]);
  });

  it('leave a file that an agent keeps alone, and write one of their own', async () => {
    await writeFile(file, documentWith('checkout', 'off'));
    await change('checkout', 'on');
    await (await watch(client(), { file })).ready();
    expect(await readFile(file, 'utf8')).toBe(documentWith('checkout', 'off'));
    const own = `${file}-own`;
    await (await watch(client(), { file: own, writesFile: true })).ready();
    await expect.poll(() => readFile(own, 'utf8').catch(() => ''), wide).toContain('"defaultVariant": "on"');
    const { away } = await withoutServer();
    expect((await watch(away, { file: own })).value('checkout', false)).toBe(true);
  });

  it('end with their signal, with close and with the client, and keep what they know', async () => {
    await change('checkout', 'on');
    const stop = new AbortController();
    const [bySignal, byClose] = [await watch(client(), { signal: stop.signal }), await watch()];
    const of = client();
    const byClient = await watch(of);
    for (const each of [bySignal, byClose, byClient]) await each.ready();
    stop.abort();
    await byClose.close();
    await of.close();
    for (const each of [bySignal, byClose, byClient]) {
      await expect.poll(() => each.state, wide).toBe('stale');
      await expect(each.ready()).rejects.toThrow();
      expect(each.value('checkout', false)).toBe(true);
    }
  });

  it('outlive a listener that throws', async () => {
    const flags = await watch();
    let calls = 0;
    flags.onChange(() => {
      calls += 1;
      throw new Error('of the program');
    });
    await change('checkout', 'on');
    await expect.poll(() => flags.value('checkout', false), wide).toBe(true);
    expect(calls).toBeGreaterThan(0);
  });
});
