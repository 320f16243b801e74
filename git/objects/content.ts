import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { gitError } from '../run/errors.ts';
import { type NameLimits, nameProblem, symlinkProblem, targetProblem } from './hostile-names.ts';
import type { ObjectReader, ObjectSource } from './object-reader.ts';
import { readTree, SUBMODULE, SYMLINK, type TreeEntry } from './tree.ts';
import { checkedObject } from './tree-diff.ts';

/**
 * What a commit may contain, judged from its tree before a byte of it is written: limits against tree bombs, names that
 * escape or deceive, symlinks that leave the release, submodules and LFS pointers (which would deploy as empty
 * directories and stubs). A refusal names the path.
 */
export interface ContentRules extends NameLimits {
  readonly submodules: 'refuse' | 'ignore';
  readonly lfs: 'refuse' | 'pointers';
  readonly symlinks: 'contained' | 'forbid' | 'allow';
  readonly maxEntries: number;
  readonly maxTotalBytes: number;
  readonly maxFileBytes: number;
}

export const CONTENT_RULES: ContentRules = {
  submodules: 'refuse',
  lfs: 'refuse',
  symlinks: 'contained',
  maxEntries: 200_000,
  maxDepth: 64,
  maxPathBytes: 1_024,
  maxSegmentBytes: 255,
  maxTotalBytes: 16 * 1024 ** 3,
  maxFileBytes: 4 * 1024 ** 3,
};

/** Checks the whole tree, and that `directory` has room for it. @returns all entries. */
export async function checkContent(
  source: Omit<ObjectSource, 'sizes'>,
  rules: ContentRules,
  commitId: CommitId,
  directory: string,
  signal: AbortSignal,
): Promise<TreeEntry[]> {
  const entries = await checkTree(source, rules, commitId, signal);
  await checkRoom(directory, entries);
  return entries;
}

/** Checks the whole tree, but not the room for it. @returns all entries. */
export async function checkTree(
  source: Omit<ObjectSource, 'sizes'>,
  rules: ContentRules,
  commitId: CommitId,
  signal: AbortSignal,
): Promise<TreeEntry[]> {
  const entries = await readTree(source, commitId, rules.maxEntries, signal);
  await checkEntries(source.reader, rules, entries);
  const total = sumOf(entries);
  if (total > rules.maxTotalBytes) throw tooLarge(`the tree has ${total} bytes, more than ${rules.maxTotalBytes}`);
  if (rules.lfs === 'refuse') await refusePointers(source.reader, entries);
  return entries;
}

const sumOf = (entries: readonly { readonly size: number | null }[]) =>
  entries.reduce((sum, { size }) => sum + (size ?? 0), 0);

/** The checks that work on any subset of the entries: names, kinds, sizes, symlinks. */
export async function checkEntries(
  reader: ObjectReader,
  rules: ContentRules,
  entries: readonly TreeEntry[],
): Promise<void> {
  for (const { mode, path, size } of entries) {
    const problem = nameProblem(path, rules);
    if (problem) throw unsafe(path, problem);
    if (mode === SUBMODULE && rules.submodules === 'refuse') throw submodule(path);
    if ((size ?? 0) > rules.maxFileBytes) throw tooLarge(`${JSON.stringify(path)} has ${size} bytes`);
  }
  const links = entries.filter(({ mode }) => mode === SYMLINK);
  if (rules.symlinks === 'forbid' && links[0]) throw unsafe(links[0].path, 'is a symlink', FORBIDDEN);
  await Promise.all(
    links.map(async ({ id, path }) => {
      const target = checkedObject(await reader.read(id), id, 'blob', path).content.toString('utf8');
      const problem = rules.symlinks === 'allow' ? targetProblem(target) : symlinkProblem(path, target);
      if (problem) throw unsafe(path, problem, targetProblem(target) === null ? OUTSIDE : undefined);
    }),
  );
}

const POINTER = 'version https://git-lfs.github.com/spec/v1\n';

export function isPointer(content: Buffer): boolean {
  return content.length < 1_024 && content.subarray(0, POINTER.length).toString('latin1') === POINTER;
}

/**
 * Only a tree whose attributes name the LFS filter has pointers; elsewhere, a file that looks like one is just text.
 */
async function refusePointers(reader: ObjectReader, entries: readonly TreeEntry[]): Promise<void> {
  const named = ({ path }: TreeEntry) => path === '.gitattributes' || path.endsWith('/.gitattributes');
  const attributes = entries.filter((entry) => named(entry) && entry.mode.startsWith('100'));
  const texts = await Promise.all(attributes.slice(0, 1_000).map(({ id }) => reader.read(id)));
  if (!texts.some((found) => found?.content.includes('filter=lfs'))) return;
  const small = entries.filter(({ size }) => size !== null && size > POINTER.length && size < 1_024);
  const found = await Promise.all(small.map(async ({ id }) => reader.read(id)));
  const pointers = small.filter((_, at) => isPointer(found[at]?.content ?? Buffer.alloc(0))).map(({ path }) => path);
  if (pointers.length === 0) return;
  const names = pointers
    .slice(0, 3)
    .map((path) => JSON.stringify(path))
    .join(', ');
  const reason = `${pointers.length} files are Git LFS pointers, not content: ${names}`;
  throw gitError('LFS_POINTERS', reason);
}

/** Whether `directory` has room for these files. @throws FleetError NO_SPACE */
export async function checkRoom(directory: string, files: readonly { readonly size: number | null }[]): Promise<void> {
  const total = sumOf(files);
  const room = await roomAt(directory);
  if (room === null || room >= total) return;
  throw gitError('NO_SPACE', `the commit needs ${total} bytes at ${directory}, ${room} are free`);
}

/** Free bytes at the nearest existing directory. */
async function roomAt(directory: string): Promise<number | null> {
  for (let at = directory; ; at = dirname(at)) {
    const found = await statfs(at).catch(() => null);
    if (found) return found.bavail * found.bsize;
    if (dirname(at) === at) return null;
  }
}

const OUTSIDE = 'publish a commit without it; or set agent.content.symlinks: allow on the servers';
const FORBIDDEN = 'publish a commit without it; agent.content.symlinks of the servers forbids every symlink';

function unsafe(path: string, problem: string, hint?: string) {
  return gitError('UNSAFE_TREE', `${JSON.stringify(path.slice(0, 200))} ${problem}`, hint);
}

function submodule(path: string) {
  return gitError('SUBMODULES', `${JSON.stringify(path)} is a submodule`);
}

function tooLarge(reason: string) {
  return gitError('TOO_LARGE', reason, 'publish a smaller tree; this limit is not a setting');
}
