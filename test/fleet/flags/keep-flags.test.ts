import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { evaluate } from '../../../fleet/flags/evaluate.ts';
import { keepFlags } from '../../../fleet/flags/keep-flags.ts';
import { type Clock, systemRandom as random, systemClock } from '../../../runtime/clock.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { silentLog as log } from '../../support/log.ts';
import { until } from '../../support/until.ts';
import { fakeKit } from '../../support/zookeeper/kit.ts';

const kit = fakeKit();
const path = '/app/kept/flags';
/** Whose looks at the file are not waited for. */
const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 20), signal) };
let session: Session;
let writer: Session;
let file: string;

const document = (variant: string) =>
  JSON.stringify({
    flags: { a: { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: variant } },
  });

beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'gitfleet-flags-file-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  file = join(directory, 'flags.json');
  [session, writer] = [kit.open(kit.connect()), kit.open(kit.connect())];
  await writer.removeTree(path);
  await writer.ensure(path);
});

function follow() {
  const { kept, follow: following } = keepFlags({ session, path, file, writes: true, clock, random, log });
  const stop = new AbortController();
  const done = following(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  return { kept, value: () => evaluate(kept().flags, 'a').value };
}
const write = async (text: string) => void (await writer.set(path, Buffer.from(text), -1));
const inFile = () => readFile(file, 'utf8').catch(() => null);

it.each([
  ['emptied', () => write('')],
  ['broken', () => write('{')],
  ['removed', () => writer.removeTree(path)],
])('a document that is %s takes from programs nothing that they have', async (_, harm) => {
  const { kept, value } = follow();
  expect(kept().state).toBe('none');
  await write(document('on'));
  await until('it is there', async () => kept().state === 'ready');
  await harm();
  await until('it is stale', async () => kept().state === 'stale');
  expect([value(), await inFile()]).toEqual([true, document('on')]);
  if ((await writer.exists(path)) === null) await writer.ensure(path);
  await write(document('off'));
  await until('it is ready again', async () => kept().state === 'ready' && value() === false);
});

it('a file that could not be written, or that somebody removed, is written again', async () => {
  await mkdir(`${file}/in-the-way`, { recursive: true });
  const { kept } = follow();
  await write(document('on'));
  await until('it is in memory', async () => kept().state === 'ready');
  expect(await inFile()).toBeNull();
  await rm(file, { recursive: true });
  await until('it is written', async () => (await inFile()) === document('on'));
  await rm(file);
  await until('it is written again', async () => (await inFile()) === document('on'));
});
