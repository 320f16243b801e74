import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOTHING_VIEWED } from '../../../agent/coordination/clearance.ts';
import { decide } from '../../../agent/decide.ts';
import { layoutOf } from '../../../agent/disk/layout.ts';
import { machineName } from '../../../agent/disk/machine-id.ts';
import { readAdoptions } from '../../../agent/local/adoption-record.ts';
import { repairJournal } from '../../../agent/repair-journal.ts';
import { actionFailed, givenUp, intendActivation, wellActive } from '../../../agent/state/activation.ts';
import { emptyJournal, type Journal, readJournal, writeJournal } from '../../../agent/state/journal.ts';
import { noteShown } from '../../../agent/state/link-history.ts';
import { readOverride } from '../../../agent/state/override.ts';
import { ownCredential, readIdentity } from '../../../agent/state/own-credential.ts';
import { unfinished } from '../../../agent/state/progress.ts';
import { chooseBack, chooseKept, released } from '../../../agent/state/retention.ts';
import { endLeftStep } from '../../../agent/state/running-command.ts';
import { readSuspension } from '../../../agent/state/suspension.ts';
import { isCommitId } from '../../../schemas/commit-id.ts';
import { parseRelativePath } from '../../../schemas/relative-path.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { allowedTarget } from '../../support/allowed-target.ts';
import { SEED, type Seeded, SOAK, seeded } from '../../support/seeded.ts';

/** Files of the state directory with values that no agent wrote: a code or nothing, and never a step outside the root. */
let top: string;
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'gitfleet-hostile-'));
});
afterEach(() => rm(top, { recursive: true }));

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);

const CONTENTS: [string, string | Buffer][] = [
  ['nothing', ''],
  ['half of a file', '{"format":1,"acc'],
  ['a number', '7'],
  ['null', 'null'],
  ['a list', '[1,[2],{}]'],
  ['an object of something else', '{"by":1,"reason":[],"at":"now","pid":{}}'],
  ['its own prototype', '{"__proto__":{"by":"x"},"constructor":{"prototype":{}}}'],
  ['NUL bytes', '\u0000\u0000\u0000'],
  ['no UTF-8', Buffer.from([0xff, 0xfe, 0x80, 0xc3])],
  ['lists 100,000 deep', '['.repeat(100_000)],
  ['17 MiB of it', Buffer.alloc(17 * 1024 * 1024, '1')],
  [
    'a path out of the root',
    JSON.stringify({ against: '1.1', url: '', commitId: A, relativePath: '../x', by: '', reason: '', at: 1 }),
  ],
  ['control characters', '\u001b[2J\u202e\n\n'],
];

/** The file is not there as a file. */
const PLACES: [string, (file: string) => Promise<unknown>][] = [
  ['a directory', (file) => mkdir(file)],
  ['a link out of the state directory', (file) => symlink('/etc/passwd', file)],
  ['a link to itself', (file) => symlink(file, file)],
];

const every = [
  ...CONTENTS.map(([what, content]): [string, (file: string) => Promise<unknown>] => [
    what,
    (file) => writeFile(file, content),
  ]),
  ...PLACES,
];

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'read',
    (error: { code?: unknown }) => error.code,
  );

describe.each(every)('%s in the place of', (what, put) => {
  it('the journal is JOURNAL_UNREADABLE', async () => {
    await put(join(top, 'journal.json'));
    expect(await codeOf(readJournal(top))).toBe('JOURNAL_UNREADABLE');
  });

  it('an override is no override', async () => {
    await put(join(top, 'override.json'));
    expect(await readOverride(top)).toBeNull();
  });

  it('a suspension still suspends', async () => {
    await put(join(top, 'suspended.json'));
    expect(await readSuspension(top)).not.toBeNull();
  });

  it('the record of adoptions is an empty one', async () => {
    await put(join(top, 'adoptions.json'));
    expect(await readAdoptions(top)).toEqual([]);
  });

  it('the note of a running step ends no process', async () => {
    await put(join(top, 'running-step'));
    expect(endLeftStep(top)).toBe(false);
  });

  it('the credential and the name of the machine are a code, or drawn where there is nothing', async () => {
    await put(join(top, 'zookeeper-credential'));
    await put(join(top, 'machine'));
    const blank = what === 'nothing';
    // One that is short or odd enough to be a password is one.
    const credential = await codeOf(ownCredential(top, 'web-1'));
    expect(credential).toBe(blank ? 'read' : 'STATE_UNREADABLE');
    await put(join(top, 'signing-key'));
    expect(await codeOf(readIdentity(top, 'web-1'))).toBe(credential);
    const name = await codeOf(machineName(join(top, 'none'), top, 'web-1'));
    expect(name).toBe(blank || what === 'a number' || what === 'null' ? 'read' : 'STATE_UNREADABLE');
  });
});

it('a directory in the place of the journal is JOURNAL_UNREADABLE to its writer too, until it is removed', async () => {
  await mkdir(join(top, 'journal.json', 'x'), { recursive: true });
  expect(await codeOf(writeJournal(top, emptyJournal))).toBe('JOURNAL_UNREADABLE');
  expect(await readdir(join(top, 'journal.json'))).toEqual(['x']);
  await rm(join(top, 'journal.json'), { recursive: true });
  await writeJournal(top, emptyJournal);
  expect(await readJournal(top)).toEqual(emptyJournal);
});

it('an empty credential is drawn once and kept', async () => {
  await writeFile(join(top, 'zookeeper-credential'), '');
  const { credential, identity } = await ownCredential(top, 'web-1');
  expect(await ownCredential(top, 'web-1')).toMatchObject({ credential, identity });
  expect(await readIdentity(top, 'web-1')).toEqual(identity);
});

/** A journal with all that one can hold. */
const target = (commitId: string) => allowedTarget({ url: 'file:///srv/shop.git', commitId, relativePath: 'shop' });
function fullJournal(): Journal {
  const first = wellActive(noteShown(intendActivation(emptyJournal, target(A)), 'shop', A, 1), target(A));
  const failure = { code: 'HEALTH_FAILED', reason: 'x', hint: '', next: 'stall' } as const;
  const wanted = { kind: 'target', targetVersion: '6.1' as TargetVersion, target: target(B) } as const;
  const progress = { targetVersion: '6.1', commitId: B, relativePath: 'shop', attempts: 1, lastFailure: failure };
  const swapped = noteShown(
    intendActivation({ ...first, progress: { ...progress, activation: 'none' } }, target(B)),
    'shop',
    B,
    2,
  );
  const gone = givenUp(actionFailed(swapped, failure, 'health'), wanted, 'health', failure, 'words');
  const accepted = { targetVersion: '6.1', mzxid: '6', mtime: 1 };
  return { ...gone, accepted, refused: { targetVersion: '7.1', failure }, base: { commitId: A, relativePath: 'shop' } };
}

const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  1e300,
  0.5,
  '',
  'x',
  '\u0000',
  '../../etc',
  '/etc/passwd',
  '.gitfleet/x',
  'main',
  'c'.repeat(40),
  'C'.repeat(40),
  [],
  {},
  [[[[]]]],
  { commitId: '../x', relativePath: '..' },
  { __proto__: null, constructor: 1 },
  'y'.repeat(100_000),
];

const KEYS = VALUES.filter((value) => typeof value === 'string');

/** One member, somewhere, is another value, gone, or under another name. */
function changed(value: unknown, draw: Seeded): unknown {
  if (value === null || typeof value !== 'object' || draw.often(0.15)) return draw.pick(VALUES);
  const entries = Object.entries(value);
  if (entries.length === 0) return draw.pick(VALUES);
  const [key] = draw.pick(entries);
  const rest = Object.fromEntries(entries.filter(([other]) => other !== key));
  if (draw.often(0.1)) return rest;
  const inner = (value as Record<string, unknown>)[key];
  if (draw.often(0.15)) return { ...rest, [draw.pick(KEYS)]: inner };
  return { ...rest, [key]: changed(inner, draw) };
}

it(`random journals are unreadable, or lead nowhere outside the root (GITFLEET_SEED=${SEED})`, async () => {
  const draw = seeded(SEED);
  const layout = layoutOf(join(top, 'root'), join(top, 'state'), '/app');
  for (const directory of [layout.releases, layout.appState]) await mkdir(directory, { recursive: true });
  let readable = 0;
  for (let nth = 0; nth < (SOAK ? 10_000 : 500); nth += 1) {
    let value: unknown = fullJournal();
    for (let times = 1 + draw.below(3); times > 0; times -= 1) value = changed(value, draw);
    await writeFile(join(layout.appState, 'journal.json'), JSON.stringify(value) ?? '');
    const journal = await readJournal(layout.appState).catch((error: { code?: unknown }) => {
      expect(error.code).toBe('JOURNAL_UNREADABLE');
      return null;
    });
    if (!journal) continue;
    readable += 1;
    const repaired = await repairJournal(layout, journal, 1_000);
    const heard = { wanted: { kind: 'nothing', why: 'ZooKeeper' }, write: null } as const;
    const quiet = { heard, blocked: null, override: null, suspension: null, joinedAt: undefined };
    const { wanted } = decide({ ...quiet, view: NOTHING_VIEWED, journal: repaired });
    const left = unfinished(repaired);
    const back = chooseBack(journal, 'shop', B);
    const kept = chooseKept(journal, { path: 'shop', commitId: B });
    released([A, B], journal, { keepReleases: 1, keepFailedReleases: 0, graceMs: 0 }, 1_000);
    if (journal.accepted) expect(() => BigInt(journal.accepted?.mzxid ?? '')).not.toThrow();
    const paths = [...Object.keys(journal.links), journal.progress, journal.base, journal.gaveUp, journal.reversal]
      .map((entry) => (typeof entry === 'string' ? entry : entry?.relativePath))
      .concat(wanted.kind === 'target' ? [wanted.target.relativePath] : [], left ? [left.target.relativePath] : []);
    for (const path of paths) if (path !== undefined) expect(parseRelativePath(path)).toMatchObject({ ok: true });
    for (const commitId of [back, kept]) if (commitId !== null) expect(isCommitId(commitId)).toBe(true);
  }
  expect(readable).toBeGreaterThan(10);
  expect(await readdir(top)).toEqual(['root', 'state']);
});

it('a damaged signing key has a way back of its own, and keeps no other file from being used', async () => {
  const { identity } = await ownCredential(top, 'web-1');
  await writeFile(join(top, 'signing-key'), 'torn');
  for (const read of [ownCredential, readIdentity])
    await expect(read(top, 'web-1')).rejects.toMatchObject({
      code: 'STATE_UNREADABLE',
      hint: expect.stringContaining('enrol it again'),
    });
  await rm(join(top, 'signing-key'));
  const again = await ownCredential(top, 'web-1');
  expect(again.identity.digest).toBe(identity.digest);
  expect(again.identity.key).not.toBe(identity.key);
});
