import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
} from 'node:fs';
import { rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { SYMLINK } from '../objects/tree.ts';
import { hashOf, treeOf } from '../objects/tree-diff.ts';
import { objectFormatOf } from '../run/commit-id.ts';
import { expectedOf, holdsJust } from './checkout-proof.ts';
import type { Contents } from './full-checkout.ts';
import { forgetIndexBehind } from './index-catch-up.ts';
import { type FlatEntry, readIndex, type StatNumbers, sealedIndex } from './index-file.ts';
import { indexIsOfThisBoot, noteBoot, readHead } from './proof.ts';
import { forgetRacy } from './racy-index.ts';
import type { WorkTree, WorkTreeStore } from './work-tree.ts';

/**
 * Whether a work tree of a small commit is exactly that commit, found out without starting git: inspect.ts would start four of
 * them after each deployment. It compares what they compare: HEAD, the name and kind of everything on disk, and each
 * file, by the size and times that the index has of it, else by its hash.
 *
 * The index need not be up to date: a file that it does not know is hashed. What was hashed is then noted in a new index
 * of our own, so that the next inspection need not hash it, and no git has to bring the index up to date.
 *
 * `git has to look`: something differs that git sees, or there is more to hash than fits in a moment. `other bytes`: a
 * file differs; git, which compares times by the second, might not see it without a new index.
 */
export async function lookQuickly(
  store: WorkTreeStore,
  tree: WorkTree,
  commitId: CommitId,
  contents: Contents,
  signal: AbortSignal,
): Promise<'unchanged' | 'other bytes' | 'git has to look'> {
  const { files } = contents;
  const unsure = 'git has to look';
  if (files.length > MAX_FILES || (await readHead(tree)) !== commitId) return unsure;
  const { treeId, directories } = expectedOf(contents);
  if (treeId !== (await treeOf(store.reader, commitId))) return unsure;
  if (!(await holdsJust(Buffer.from(tree.directory).toString('latin1'), directories))) return unsure;
  const startedMs = store.clock.now();
  const known = (await indexIsOfThisBoot(tree)) ? await readIndex(join(tree.admin, 'index'), commitId) : null;
  const found = await compareAll(tree, contents, known ?? NO_INDEX, signal);
  if (typeof found === 'string') return found;
  if (found.hashed > 0 || known?.entries.size !== files.length) {
    const bytes = sealedIndex(contents.image, found.seen, objectFormatOf(commitId));
    await writeIndex(tree, bytes, startedMs);
    await store.failpoint('spare.index-caught-up');
    await forgetIndexBehind(tree);
    await forgetRacy(tree);
  }
  return 'unchanged';
}

/** Above that, git is faster, because it looks at several files at the same time. */
const MAX_FILES = 2_000;
const MAX_HASHED_BYTES = 32 * 1024 ** 2;
/** Files to look at in one turn of the event loop, about a millisecond. */
const IN_A_TURN = 64;
/** Hashing this many takes as long as a look at a file. */
const BYTES_LIKE_A_FILE = 16 * 1024;

type KnownIndex = NonNullable<Awaited<ReturnType<typeof readIndex>>>;
const NO_INDEX: KnownIndex = { entries: new Map(), writtenS: 0 };

async function compareAll(
  tree: WorkTree,
  { files }: Contents,
  known: KnownIndex,
  signal: AbortSignal,
): Promise<{ readonly seen: readonly StatNumbers[]; readonly hashed: number } | 'other bytes' | 'git has to look'> {
  const seen: StatNumbers[] = [];
  let hashed = 0;
  let bytes = 0;
  let turn = 0;
  for (const entry of files) {
    turn -= 1;
    if (turn < 0) {
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      turn = IN_A_TURN;
    }
    const path = onDisk(tree, entry.path);
    const now = look(path);
    if (now === null || !isLike(now, entry)) return 'git has to look';
    const stat = seenIn(now);
    seen.push(stat);
    if (isAsKnown(stat, entry, known)) continue;
    hashed += 1;
    bytes += entry.size;
    if (bytes > MAX_HASHED_BYTES) return 'git has to look';
    turn -= Math.ceil(entry.size / BYTES_LIKE_A_FILE);
    const content = entry.mode === SYMLINK ? readlinkSync(path, 'buffer') : readRegular(path);
    if (content === null || hashOf('blob', content, entry.id) !== entry.id) return 'other bytes';
  }
  return { seen, hashed };
}

/** A path that is not ASCII goes to the system byte by byte, as git has it. */
const onDisk = ({ directory }: WorkTree, path: string): string | Buffer =>
  ASCII.test(path)
    ? `${directory}/${path}`
    : Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')]);

const ASCII = /^[\u0001-\u007f]*$/;

function look(path: string | Buffer): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true });
  } catch {
    return null;
  }
}

/** Null: since the look it became something that is no regular file, such as a pipe, which is never waited for. */
function readRegular(path: string | Buffer): Buffer | null {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return fstatSync(descriptor).isFile() ? readFileSync(descriptor) : null;
  } finally {
    closeSync(descriptor);
  }
}

/** Of its kind, as executable as the commit says, and of its size. */
function isLike(stat: BigIntStats, { mode, size }: FlatEntry): boolean {
  if (Number(stat.size) !== size) return false;
  if (mode === SYMLINK) return stat.isSymbolicLink();
  return stat.isFile() && (Number(stat.mode) & 0o100) === (Number.parseInt(mode, 8) & 0o100);
}

/** As gitformat-index(5) keeps it: the low 32 bits of each. */
const seenIn = (stat: BigIntStats): StatNumbers =>
  [
    ...at(stat.ctimeNs),
    ...at(stat.mtimeNs),
    Number(BigInt.asUintN(32, stat.dev)),
    Number(BigInt.asUintN(32, stat.ino)),
    Number(stat.uid),
    Number(stat.gid),
  ] as const;

const at = (ns: bigint) => [Number(BigInt.asUintN(32, ns / 1_000_000_000n)), Number(ns % 1_000_000_000n)] as const;

/** A file as new as its index may have changed unseen in that second, as racy-index.ts says. */
function isAsKnown(stat: StatNumbers, { path, mode, id }: FlatEntry, { entries, writtenS }: KnownIndex): boolean {
  const entry = entries.get(path);
  if (entry?.id !== id || entry.mode !== mode) return false;
  return stat[MTIME_S] < writtenS && stat.every((value, which) => value === entry.seen[which]);
}

const MTIME_S = 2;

/**
 * Dated when the look began: what changed since has a later time, or that of the index, and is then read again.
 */
async function writeIndex(tree: WorkTree, bytes: Buffer, startedMs: number): Promise<void> {
  const index = join(tree.admin, 'index');
  await writeFile(`${index}.new`, bytes);
  const seconds = Math.floor(startedMs / 1_000);
  await utimes(`${index}.new`, seconds, seconds);
  await rename(`${index}.new`, index).catch(async () => {
    await rm(index, { recursive: true, force: true }); // After damage it may be a directory.
    await rename(`${index}.new`, index);
  });
  await noteBoot(tree);
}
