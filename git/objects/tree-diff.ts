import { createHash } from 'node:crypto';
import type { CommitId } from '../../schemas/values.ts';
import { objectFormatOf } from '../run/commit-id.ts';
import { gitError } from '../run/errors.ts';
import type { FoundObject, ObjectReader } from './object-reader.ts';
import { type DiffSide, entriesThatDiffer } from './tree-entries.ts';

export interface DiffEntry {
  readonly from: DiffSide;
  readonly to: DiffSide;
  /** A added, D deleted, M modified, T another kind. */
  readonly status: 'A' | 'D' | 'M' | 'T';
  readonly path: string;
}

/**
 * The differences between the trees of two commits, without renames; null beyond `most` entries. Reads only the trees
 * that differ, through the resident reader, and hashes all that it reads: from the commit id down to each changed
 * entry, an object counts only if it hashes to its id.
 * @param older the source of the objects of `from`. @param newer the source of those of `to`.
 */
export async function diffTrees(
  older: ObjectReader,
  newer: ObjectReader,
  from: CommitId,
  to: CommitId,
  most: number,
): Promise<DiffEntry[] | null> {
  const found: DiffEntry[] = [];
  const walk = async (before: string | null, after: string | null, prefix: string): Promise<void> => {
    const [a, b] = await Promise.all([readTree(older, before), readTree(newer, after)]);
    const [old, young] = entriesThatDiffer(a, b, from.length / 2);
    const deeper: Promise<void>[] = [];
    for (const name of new Set([...old.keys(), ...young.keys()])) {
      const [was, is] = [old.get(name) ?? NOTHING, young.get(name) ?? NOTHING];
      if (was.id === is.id && was.mode === is.mode) continue;
      const path = `${prefix}${Buffer.from(name, 'latin1').toString('utf8')}`;
      const trees = [was, is].map((side) => (side.mode === TREE ? side.id : null)) as [string | null, string | null];
      if (trees[0] !== null || trees[1] !== null) deeper.push(walk(...trees, `${path}/`));
      const [fileA, fileB] = [was, is].map((side) => (side.mode === TREE ? NOTHING : side)) as [DiffSide, DiffSide];
      if (fileA !== NOTHING || fileB !== NOTHING)
        found.push({ from: fileA, to: fileB, status: kind(fileA, fileB), path });
      if (found.length > most) break;
    }
    await Promise.all(deeper);
  };
  const [before, after] = await Promise.all([treeOf(older, from), treeOf(newer, to)]);
  if (before !== after) await walk(before, after, '');
  return found.length > most ? null : found;
}

/** @throws FleetError STORE_BROKEN unless the object is of this type and hashes to `id`. */
export function checkedObject(
  found: FoundObject | null,
  id: string,
  type: 'commit' | 'tree' | 'blob',
  what: string = `a ${type}`,
): FoundObject {
  if (found?.type === type && hashOf(type, found.content, id) === id) return found;
  throw gitError('STORE_BROKEN', `object ${id} (${what}) is absent or not what its name says`);
}

export function hashOf(type: string, content: Buffer, like: string): string {
  const hash = createHash(objectFormatOf(like as CommitId));
  return hash.update(`${type} ${content.length}\0`).update(content).digest('hex');
}

const TREE = '40000';
const NOTHING: DiffSide = { mode: '000000', id: '' };

function kind(a: DiffSide, b: DiffSide): DiffEntry['status'] {
  if (a === NOTHING) return 'A';
  if (b === NOTHING) return 'D';
  return a.mode.slice(0, 3) === b.mode.slice(0, 3) ? 'M' : 'T';
}

/** The tree of a commit, whose own hash is checked. */
export async function treeOf(reader: ObjectReader, commitId: CommitId): Promise<string> {
  const commit = checkedObject(await reader.read(commitId), commitId, 'commit');
  return /^tree ([0-9a-f]+)\n/.exec(commit.content.toString('latin1'))?.[1] ?? '';
}

async function readTree(reader: ObjectReader, id: string | null): Promise<Buffer> {
  return id === null ? NO_TREE : checkedObject(await reader.read(id), id, 'tree').content;
}

const NO_TREE = Buffer.alloc(0);
