import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeBundle } from '../../../git/host/make-bundle.ts';
import { packOf } from '../../../git/local-copy/pack-writer.ts';
import { createGit } from '../../../git/run/process.ts';
import type { Store } from '../../../git/store.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { aListeningStore, inCommit, NEVER, onDisk, QUIET, release } from '../test-store.ts';

const MAX_BYTES = 256 * 1024;
const git = createGit({ clock: systemClock, log: QUIET, path: process.env['PATH'] });

let base: string;
let remove: () => void;
beforeAll(() => {
  ({ path: base, remove } = temporaryDirectory('bundles'));
});
afterAll(() => remove());

interface Kit {
  readonly origin: GitOrigin;
  readonly first: CommitId;
  readonly next: CommitId;
  /** Comes after `next`, and shares trees with it. */
  readonly later: CommitId;
  /** Has no relation to the others, and a file that is nearly that of `next`. */
  readonly other: CommitId;
  readonly pack: Buffer;
}

function kitIn(name: string, format: 'sha1' | 'sha256' = 'sha1'): Omit<Kit, 'pack'> {
  const origin = createOrigin(join(base, `${name}.git`), { format });
  const lines = (end: string) =>
    Array.from({ length: 300 }, (_, at) => `line ${at}${at % 50 === 0 ? end : ''}\n`).join('');
  const first = origin.commit({ 'a.txt': lines('a'), 'd/b.txt': lines('b'), 'd/e/c.txt': 'c\n' });
  const next = origin.commit({ 'a.txt': lines('next'), 'd/new.txt': 'new\n', 'd/e/c.txt': null });
  const later = origin.commit({ 'a.txt': lines('later') });
  const other = origin.commit({ 'a.txt': `${lines('next')}other\n`, 'z.txt': 'z' }, { branch: 'other', orphan: true });
  return { origin, first, next, other, later };
}

const packed = async (origin: GitOrigin, from: CommitId, to: CommitId): Promise<Buffer> => {
  const pack = await makeBundle(git, { gitDir: origin.directory }, { base: from, commitId: to }, MAX_BYTES, NEVER);
  if (pack === null) throw new Error('no pack');
  return pack;
};

let kits = 0;
/** A store that has the first commit, as a release, and tells which git commands it runs. */
async function storeWith({ origin, first }: Omit<Kit, 'pack'>): Promise<{ store: Store; at: string; ran: string[] }> {
  const at = join(base, `store-${kits++}`);
  const ran: string[] = [];
  const store = await aListeningStore(at, (command) => ran.push(command));
  await store.fetch({ url: origin.url, commitId: first }, NEVER);
  await release(store, at, first);
  ran.length = 0;
  return { store, at, ran };
}

const inStore = (at: string, ...args: string[]): string =>
  execFileSync('git', [`--git-dir=${join(at, 'state/apps/shop/store.git')}`, ...args], { encoding: 'utf8' });

/** What stays beside the pins: packs, and anything half-made. */
const filesOf = (at: string): string[] =>
  readdirSync(join(at, 'state/apps/shop/store.git'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /^objects|^shallow|^refs/.test(name))
    .sort();

describe('a bundle', () => {
  it.each(['sha1', 'sha256'] as const)('brings a commit without a server (%s)', async (format) => {
    const kit = kitIn(`taken-${format}`, format);
    const { store, at, ran } = await storeWith(kit);
    const pack = await packed(kit.origin, kit.first, kit.next);
    expect(await store.take({ url: kit.origin.url, commitId: kit.next }, { base: kit.first, pack }, NEVER)).toBeNull();
    expect(ran).not.toContain('fetch');
    const has = [
      await store.has(kit.next, kit.origin.url),
      await store.has(kit.next, kit.origin.url, 'also signed for'),
    ];
    expect(has).toEqual([false, true]);
    expect(onDisk(await release(store, at, kit.next))).toEqual(inCommit(kit.origin.directory, kit.next));
    expect(inStore(at, 'fsck', '--full', '--strict')).toBe('');
    expect(inStore(at, 'rev-list', '--count', kit.next)).toBe('1\n');
    expect(filesOf(at).filter((name) => /incoming|tmp_|lock/.test(name))).toEqual([]);
    // The origin is then asked all the same, where somebody wants its word.
    expect(await store.fetch({ url: kit.origin.url, commitId: kit.next }, NEVER)).toEqual({ network: true });
    expect(await store.has(kit.next, kit.origin.url)).toBe(true);
  });

  it('needs no relation between the two commits, and follows another bundle', async () => {
    const kit = kitIn('unrelated');
    const { store, at } = await storeWith(kit);
    for (const [from, to] of [
      [kit.first, kit.other],
      [kit.other, kit.next],
    ] as const) {
      const pack = await packed(kit.origin, from, to);
      expect(await store.take({ url: kit.origin.url, commitId: to }, { base: from, pack }, NEVER)).toBeNull();
    }
    expect(onDisk(await release(store, at, kit.next))).toEqual(inCommit(kit.origin.directory, kit.next));
    expect(inStore(at, 'fsck', '--full', '--strict')).toBe('');
  });

  it('is small, and has no history', async () => {
    const { origin, first } = kitIn('small');
    for (let at = 0; at < 20; at++) origin.commit({ 'log.txt': `${at}\n`.repeat(2_000) });
    const tip = origin.commit({ 'log.txt': 'end\n' });
    const pack = await packed(origin, first, tip);
    // The commit, the trees that changed and the file; not what was between.
    expect([pack.length < 2_000, pack.readUInt32BE(8) <= 6]).toEqual([true, true]);
  });

  it('is not made where a commit is missing or it would be too large', async () => {
    const { origin, first, next } = kitIn('unmade');
    const ask = (of: CommitId, to: CommitId, most: number) =>
      makeBundle(git, { gitDir: origin.directory }, { base: of, commitId: to }, most, NEVER);
    const absent = '1'.repeat(40) as CommitId;
    expect(await ask(absent, next, MAX_BYTES)).toBeNull();
    expect(await ask(first, absent, MAX_BYTES)).toBeNull();
    expect(await ask(first, next, 100)).toBeNull();
    expect((await ask(first, next, MAX_BYTES))?.length).toBeGreaterThan(100);
  });
});

const flipped = (pack: Buffer, at: number): Buffer => {
  const copy = Buffer.from(pack);
  copy[at] = (copy[at] ?? 0) ^ 0x40;
  return copy;
};

/** A pack with a right checksum around what is wrong in it. */
const sealed = (body: Buffer): Buffer => Buffer.concat([body, createHash('sha1').update(body).digest()]);

const objectIn = (origin: GitOrigin, id: string) => {
  const type = origin.git(['cat-file', '-t', id]);
  const content = execFileSync('git', [`--git-dir=${origin.directory}`, 'cat-file', type, id]);
  return { id, type, content };
};

const blobOf = (content: Buffer) => ({
  id: createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex'),
  type: 'blob',
  content,
});

const allOf = (kit: Kit): string[] =>
  kit.origin.git(['rev-list', '--objects', '--no-object-names', kit.next, `^${kit.first}`]).split('\n');

const whole = (kit: Kit, without: (object: { type: string; id: string }) => boolean = () => false) =>
  allOf(kit)
    .map((id) => objectIn(kit.origin, id))
    .filter((object) => !without(object));

/** A delta of 64 KiB copies, on a blob of the pack: each level is 4,096 times as long as the one below. */
function bomb(): Buffer {
  const zeros = Buffer.alloc(16 * 1024 ** 2);
  const kind = 3;
  const size: number[] = [(kind << 4) | (zeros.length & 15)];
  for (let rest = zeros.length >>> 4; rest > 0; rest >>>= 7) {
    size[size.length - 1] = (size.at(-1) ?? 0) | 0x80;
    size.push(rest & 0x7f);
  }
  const one = Buffer.concat([Buffer.from(size), deflateSync(zeros, { level: 9 })]);
  const varint = (n: number): number[] => {
    const bytes: number[] = [];
    let rest = n;
    do {
      bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
      rest = Math.floor(rest / 128);
    } while (rest > 0);
    return bytes;
  };
  const copy = [0x80 | 0x40, 0xff]; // 0xff0000 bytes from offset 0.
  const times = 120;
  const delta = Buffer.from([
    ...varint(zeros.length),
    ...varint(0xff0000 * times),
    ...Array.from({ length: times }, () => copy).flat(),
  ]);
  const head: number[] = [(7 << 4) | (delta.length & 15)];
  for (let rest = delta.length >>> 4; rest > 0; rest >>>= 7) {
    head[head.length - 1] = (head.at(-1) ?? 0) | 0x80;
    head.push(rest & 0x7f);
  }
  const on = Buffer.from(blobOf(zeros).id, 'hex');
  const two = Buffer.concat([Buffer.from(head), on, deflateSync(delta)]);
  const header = Buffer.concat([Buffer.from('PACK'), Buffer.from([0, 0, 0, 2, 0, 0, 0, 2])]);
  return sealed(Buffer.concat([header, one, two]));
}

const HOSTILE: Record<string, readonly [what: string, make: (kit: Kit) => Buffer | Promise<Buffer>]> = {
  nothing: ['pack', () => Buffer.alloc(0)],
  'no pack': ['pack', () => Buffer.from('<html>not found</html>'.repeat(50))],
  'a truncated pack': ['pack', ({ pack }) => pack.subarray(0, pack.length - 30)],
  'a pack without its checksum': ['pack', ({ pack }) => pack.subarray(0, pack.length - 20)],
  'a pack with something after it': ['pack', ({ pack }) => Buffer.concat([pack, Buffer.from('and more')])],
  'a flipped bit in the header': ['pack', ({ pack }) => flipped(pack, 9)],
  'a flipped bit in an object': ['pack', ({ pack }) => flipped(pack, 40)],
  'a flipped bit in the checksum': ['pack', ({ pack }) => flipped(pack, pack.length - 5)],
  'a flipped bit under a right checksum': ['pack', ({ pack }) => sealed(flipped(pack, 40).subarray(0, -20))],
  'the right pack for another base': ['incomplete', (kit) => packed(kit.origin, kit.later, kit.next)],
  'the right pack with deltas on another base': ['pack', (kit) => packed(kit.origin, kit.other, kit.next)],
  'the pack of another commit': ['incomplete', (kit) => packed(kit.origin, kit.first, kit.other)],
  'a pack without the commit': [
    'incomplete',
    (kit) =>
      packOf(
        whole(kit, ({ type }) => type === 'commit'),
        'sha1',
      ).pack,
  ],
  'a pack without a new file': [
    'pack',
    (kit) =>
      packOf(
        whole(kit, ({ type }) => type === 'blob'),
        'sha1',
      ).pack,
  ],
  'a pack without a tree': [
    'pack',
    (kit) => {
      const tree = kit.origin.git(['rev-parse', `${kit.next}:d`]);
      return packOf(
        whole(kit, ({ id }) => id === tree),
        'sha1',
      ).pack;
    },
  ],
  'a pack with another file in it': [
    'extra',
    (kit) => packOf([...whole(kit), blobOf(Buffer.from('stowaway'))], 'sha1').pack,
  ],
  'a pack with another commit in it': [
    'extra',
    (kit) => packOf([...whole(kit), objectIn(kit.origin, kit.first)], 'sha1').pack,
  ],
  'a pack with a hostile tree in it': [
    'pack',
    (kit) => {
      const id = kit.origin.git(['hash-object', '--literally', '-t', 'tree', '-w', '--stdin'], HAS_DOT_GIT(kit));
      return packOf([...whole(kit), objectIn(kit.origin, id)], 'sha1').pack;
    },
  ],
  'a bomb': ['pack', () => bomb()],
};

/** A tree with an entry that is called `.git`. */
const HAS_DOT_GIT = ({ origin, first }: Kit): Buffer =>
  Buffer.concat([Buffer.from('100644 .git\0'), Buffer.from(origin.git(['rev-parse', `${first}:a.txt`]), 'hex')]);

describe('a hostile bundle', () => {
  let kit: Kit;
  let victim: Awaited<ReturnType<typeof storeWith>>;
  let before: string[];
  beforeAll(async () => {
    const made = kitIn('hostile');
    kit = { ...made, pack: await packed(made.origin, made.first, made.next) };
    victim = await storeWith(kit);
    before = filesOf(victim.at);
  });
  afterEach(() => victim.store.close());

  it.each(Object.entries(HOSTILE))('%s is passed over, and leaves nothing', async (_, [what, make]) => {
    const { store, at } = victim;
    const bundle = { base: kit.first, pack: await make(kit) };
    expect(await store.take({ url: kit.origin.url, commitId: kit.next }, bundle, NEVER)).toBe(what);
    expect([filesOf(at), await store.pinned()]).toEqual([before, [kit.first]]);
  });

  it('leaves the running release and the store as they were: the origin is asked, and the tree is right', async () => {
    const { store, at } = victim;
    const served = join(at, 'root/.gitfleet/shop/releases', kit.first);
    expect(onDisk(served)).toEqual(inCommit(kit.origin.directory, kit.first));
    expect(readdirSync(join(at, 'state/apps/shop'))).not.toContain('store.git.suspect');
    expect(await store.fetch({ url: kit.origin.url, commitId: kit.next }, NEVER)).toEqual({ network: true });
    expect(onDisk(await release(store, at, kit.next))).toEqual(inCommit(kit.origin.directory, kit.next));
  });

  it('casts doubt on a store whose base is damaged, so that the fetch after it repairs the store', async () => {
    const { store, at } = await storeWith(kit);
    const directory = join(at, 'state/apps/shop/store.git');
    for (const name of readdirSync(join(directory, 'objects/pack')).filter((each) => each.endsWith('.pack'))) {
      const file = join(directory, 'objects/pack', name);
      chmodSync(file, 0o600);
      writeFileSync(file, flipped(flipped(flipped(readFileSync(file), 14), 15), 20));
    }
    store.close();
    const asked = { url: kit.origin.url, commitId: kit.next };
    expect(await store.take(asked, { base: kit.first, pack: kit.pack }, NEVER)).toBe('failed');
    expect(readdirSync(join(at, 'state/apps/shop'))).toContain('store.git.suspect');
    expect(await store.take(asked, { base: kit.first, pack: kit.pack }, NEVER)).toBe('store');
    expect(await store.fetch(asked, NEVER)).toEqual({ network: true });
    expect(onDisk(await release(store, at, kit.next))).toEqual(inCommit(kit.origin.directory, kit.next));
    const reason = new Error('a newer target');
    const interrupted = store.take(
      { ...asked, commitId: kit.later },
      { base: kit.next, pack: kit.pack },
      AbortSignal.abort(reason),
    );
    await expect(interrupted).rejects.toBe(reason);
  });

  it('is passed over where its base is absent, or the store is in doubt, new or of another hash', async () => {
    const { origin, first, next, other, pack } = kit;
    const { store } = await storeWith(kit);
    const wanted = { url: origin.url, commitId: next };
    expect(await store.take(wanted, { base: other, pack }, NEVER)).toBe('base');
    const sha256 = kitIn('other-hash', 'sha256');
    const foreign = await packed(sha256.origin, sha256.first, sha256.next);
    const asked = { url: sha256.origin.url, commitId: sha256.next };
    expect(await store.take(asked, { base: sha256.first, pack: foreign }, NEVER)).toBe('store');
    const empty = await aListeningStore(join(base, `store-${kits++}`), () => {});
    expect(await empty.take(wanted, { base: first, pack }, NEVER)).toBe('base');
    const { store: doubtful, at } = await storeWith(kit);
    execFileSync('touch', [join(at, 'state/apps/shop/store.git.suspect')]);
    expect(await doubtful.take(wanted, { base: first, pack }, NEVER)).toBe('store');
    expect(readFileSync(join(at, 'state/apps/shop/store.git', 'shallow'), 'utf8')).not.toContain(next);
  });
});
