import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Code, codes } from '../../../runtime/codes.ts';
import { FleetError } from '../../../runtime/errors.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { SEED, SOAK, seeded } from '../../support/seeded.ts';
import { aStore, inCommit, NEVER, onDisk, release } from '../test-store.ts';

/**
 * Damage in store.git that no table of words knows: whatever is done to a file of the store, the next commit arrives
 * whole, after few tries, whether the agent runs or starts again, and what is served stays what it is. Each failure on
 * the way has a code whose hint is true: the store heals without help.
 */
type Store = Awaited<ReturnType<typeof aStore>>;

let base: string;
let remove: () => void;
let origin: GitOrigin;
let first: CommitId;
let second: CommitId;

beforeAll(async () => {
  ({ path: base, remove } = temporaryDirectory('damage'));
  origin = createOrigin(join(base, 'origin.git'));
  const files = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`d${n % 3}/f${n}`, `${n}\n`.repeat(n + 1)]));
  first = origin.commit(files);
  second = origin.commit({ 'd0/f0': 'changed\n', 'd1/new': 'new\n', 'd2/f2': null });
  origin.git(['gc', '--quiet']); // So that it is fetched, not copied.
});
afterAll(() => remove());

let made = 0;
/** A directory with the first commit served and the spare brought to it. */
async function served(): Promise<{ at: string; store: Store; live: string }> {
  made += 1;
  const at = join(base, `case-${made}`);
  const store = await aStore(at);
  await store.fetch({ url: origin.url, commitId: first }, NEVER);
  const live = await release(store, at, first);
  const spare = store.spare(join(at, 'root/.gitfleet/shop/spare'));
  await spare.write(first, NEVER);
  await spare.verify(first, NEVER);
  return { at, store, live };
}

/** What an agent does until it has arrived. @returns the codes of the tries that failed. */
const arrive = (store: Store, at: string, commitId: CommitId) =>
  untilDone(store, commitId, () => release(store, at, commitId));

async function untilDone(store: Store, commitId: CommitId, work: () => Promise<unknown>): Promise<string[]> {
  const codes: string[] = [];
  for (let n = 0; n < 8; n++) {
    try {
      if (!(await store.has(commitId, origin.url))) await store.fetch({ url: origin.url, commitId }, NEVER);
      await work();
      return codes;
    } catch (error) {
      codes.push(error instanceof FleetError ? error.code : String(error));
    }
  }
  throw new Error(`never arrived: ${codes.join(', ')}`);
}

/** Codes that say: it is retried without help, and it is not the host, the commit, the disk or a defect of ours. */
const HONEST: readonly string[] = [
  'STORE_BROKEN',
  'TREE_MISMATCH',
  'COMMIT_ABSENT',
  'NO_SPARE',
  'GIT_FAILED',
  'GIT_KILLED',
];
const isHonest = (code: string) => HONEST.includes(code) && codes()[code as Code].next === 'retry';

const storeOf = (at: string) => join(at, 'state/apps/shop/store.git');

function packOf(at: string, kind: string): string {
  const directory = join(storeOf(at), 'objects/pack');
  return join(directory, readdirSync(directory).find((name) => name.endsWith(kind)) ?? 'none');
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  rmSync(file);
  writeFileSync(file, bytes);
}

const middle = (file: string) => Math.floor(statSync(file).size / 2);

const DAMAGES: Record<string, (at: string) => void> = {
  'HEAD gone': (at) => rmSync(join(storeOf(at), 'HEAD')),
  'HEAD empty': (at) => truncateSync(join(storeOf(at), 'HEAD'), 0),
  'a bit of shallow': (at) => flip(join(storeOf(at), 'shallow'), 3),
  'a line of shallow that is none': (at) => writeFileSync(join(storeOf(at), 'shallow'), 'garbage\n'),
  'a bad line in config': (at) => writeFileSync(join(storeOf(at), 'config'), '[core\n\trepo'),
  'no config': (at) => rmSync(join(storeOf(at), 'config')),
  'a damaged index of a pack': (at) => flip(packOf(at, '.idx'), middle(packOf(at, '.idx'))),
  'a cut index of a pack': (at) => cut(packOf(at, '.idx')),
  'a cut pack': (at) => cut(packOf(at, '.pack')),
  'a damaged pack': (at) => flip(packOf(at, '.pack'), middle(packOf(at, '.pack'))),
  'an empty pin of the wanted commit': (at) => writeFileSync(join(storeOf(at), 'refs/pins', second), ''),
  'a garbled pin of the wanted commit': (at) => writeFileSync(join(storeOf(at), 'refs/pins', second), 'x'.repeat(41)),
  'an empty pin of the served commit': (at) => writeFileSync(join(storeOf(at), 'refs/pins', first), ''),
  'a file in the place of all pins': (at) => {
    rmSync(join(storeOf(at), 'refs/pins'), { recursive: true });
    writeFileSync(join(storeOf(at), 'refs/pins'), '');
  },
  'a directory in the place of shallow': (at) => {
    rmSync(join(storeOf(at), 'shallow'));
    mkdirSync(join(storeOf(at), 'shallow/x'), { recursive: true });
  },
  'a directory in the place of the attributes': (at) => {
    rmSync(join(storeOf(at), 'info/attributes'));
    mkdirSync(join(storeOf(at), 'info/attributes/x'), { recursive: true });
  },
  'bad packed refs': (at) => writeFileSync(join(storeOf(at), 'packed-refs'), 'not a ref at all\n'),
};

function cut(file: string): void {
  const bytes = readFileSync(file);
  rmSync(file);
  writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length / 2)));
}

describe.each(['while it runs', 'while it is stopped'])('a store damaged %s', (when) => {
  it.each(Object.entries(DAMAGES))('(%s) takes the next commit, and serves what it served', async (_, damage) => {
    const { at, store, live } = await served();
    if (when === 'while it is stopped') store.close();
    damage(at);
    const used = when === 'while it is stopped' ? await aStore(at) : store;
    const codes = await arrive(used, at, second);
    expect(codes.filter((code) => !isHonest(code))).toEqual([]);
    expect(onDisk(join(at, 'root/.gitfleet/shop/releases', second))).toEqual(inCommit(origin.directory, second));
    expect(onDisk(live)).toEqual(inCommit(origin.directory, first));
    expect(readdirSync(join(at, 'state/apps/shop'))).toEqual(['store.git']);
    used.close();
    rmSync(at, { recursive: true, force: true });
  });
});

describe('random damage', () => {
  const KINDS = ['flip', 'cut', 'empty', 'remove', 'directory', 'link'] as const;
  const rounds = SOAK ? 20 : 4;
  const seeds = Array.from({ length: SOAK ? 30 : 2 }, (_, n) => SEED + n);

  /** Every kind of file in the store, by name without what differs from store to store. */
  function filesOf(at: string): string[] {
    return readdirSync(storeOf(at), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  }

  function spoil(file: string, kind: (typeof KINDS)[number], drawn: number): void {
    const bytes = readFileSync(file);
    rmSync(file);
    const at = Math.floor(drawn * bytes.length);
    if (kind === 'flip') {
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (Math.floor(drawn * 8_191) % 8));
      writeFileSync(file, bytes);
    } else if (kind === 'cut') writeFileSync(file, bytes.subarray(0, at));
    else if (kind === 'empty') writeFileSync(file, '');
    else if (kind === 'directory') mkdirSync(join(file, 'x'), { recursive: true });
    else if (kind === 'link') symlinkSync('/nowhere', file);
  }

  it.each(seeds)('of seed %i is healed', { timeout: 600_000 }, async (seed) => {
    const draw = seeded(seed);
    for (let round = 0; round < rounds; round++) {
      const { at, store, live } = await served();
      const running = draw.often(0.5);
      if (!running) store.close();
      const files = filesOf(at);
      const told: string[] = [];
      for (let n = draw.often(0.5) ? 1 : 3; n > 0; n--) {
        const file = draw.pick(files);
        const kind = draw.pick(KINDS);
        if (!statSync(file, { throwIfNoEntry: false })?.isFile()) continue;
        told.push(`${kind} ${file.slice(storeOf(at).length + 1)}`);
        spoil(file, kind, draw.next());
      }
      const what = `seed ${seed}, round ${round}, ${running ? 'running' : 'stopped'}: ${told.join(', ')}`;
      const used = running ? store : await aStore(at);
      const codes = await arrive(used, at, second).catch((error: Error) => {
        throw new Error(`${what}: ${error.message}`);
      });
      expect(
        codes.filter((code) => !isHonest(code)),
        what,
      ).toEqual([]);
      expect(onDisk(join(at, 'root/.gitfleet/shop/releases', second)), what).toEqual(
        inCommit(origin.directory, second),
      );
      expect(onDisk(live), what).toEqual(inCommit(origin.directory, first));
      // And what is served can be looked at, and restored, again.
      await untilDone(used, first, async () => {
        await used.attach(live, first);
        await used.restore(live, first, NEVER, null);
        expect(await used.inspect(live, first, NEVER)).toMatchObject({ head: first, changed: [], missing: [] });
      }).catch((error: Error) => {
        throw new Error(`${what}, the release: ${error.message}`);
      });
      used.close();
      rmSync(at, { recursive: true, force: true });
    }
  });
});
