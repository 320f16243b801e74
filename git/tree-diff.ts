import { createHash } from 'node:crypto';
import type { CommitId } from '../schemas/values.ts';
import { objectFormatOf } from './commit-id.ts';
import { failure } from './errors.ts';
import type { FoundObject, ObjectReader } from './object-reader.ts';
import type { Repository } from './repository.ts';

interface DiffSide {
  /** As git spells it; 000000 and no id where there is nothing. */
  readonly mode: string;
  readonly id: string;
}

export interface DiffEntry {
  readonly from: DiffSide;
  readonly to: DiffSide;
  /** A added, D deleted, M modified, T another kind. */
  readonly status: 'A' | 'D' | 'M' | 'T';
  readonly path: string;
}

/**
 * What differs between the trees of two commits, without renames; null beyond `most` entries. Reads only the trees that
 * differ, through the resident reader, and hashes all it reads: from the commit id down to each changed entry nothing is
 * believed that does not have the name it was asked by.
 * @param newer where the objects of `to` are read.
 */
export async function diffTrees(
  repository: Repository,
  from: CommitId,
  to: CommitId,
  most: number,
  newer: ObjectReader = repository.reader,
): Promise<DiffEntry[] | null> {
  const found: DiffEntry[] = [];
  const walk = async (before: string | null, after: string | null, prefix: string): Promise<void> => {
    const sides = [readEntries(repository.reader, before, from), readEntries(newer, after, from)] as const;
    const [old, young] = await Promise.all(sides);
    const deeper: Promise<void>[] = [];
    for (const name of new Set([...old.keys(), ...young.keys()])) {
      const a = old.get(name) ?? NOTHING;
      const b = young.get(name) ?? NOTHING;
      if (a.id === b.id && a.mode === b.mode) continue;
      const path = `${prefix}${Buffer.from(name, 'latin1').toString('utf8')}`;
      const trees = [a, b].map((side) => (side.mode === TREE ? side.id : null)) as [string | null, string | null];
      if (trees[0] !== null || trees[1] !== null) deeper.push(walk(...trees, `${path}/`));
      const [fileA, fileB] = [a, b].map((side) => (side.mode === TREE ? NOTHING : side)) as [DiffSide, DiffSide];
      if (fileA !== NOTHING || fileB !== NOTHING)
        found.push({ from: fileA, to: fileB, status: kind(fileA, fileB), path });
      if (found.length > most) break;
    }
    await Promise.all(deeper);
  };
  const [before, after] = await Promise.all([treeOf(repository.reader, from), treeOf(newer, to)]);
  if (before !== after) await walk(before, after, '');
  return found.length > most ? null : found;
}

/** Throws STORE_BROKEN unless the object is of this type and has the name it was asked by. */
export function checkedObject(
  found: FoundObject | null,
  id: string,
  type: 'commit' | 'tree' | 'blob',
  what: string = `a ${type}`,
): FoundObject {
  if (found?.type === type && hashOf(type, found.content, id) === id) return found;
  const hint = 'the object store of this app is damaged; the agent makes a new one beside it and goes on serving';
  throw failure('STORE_BROKEN', 'retry', `object ${id} (${what}) is absent or not what its name says`, hint);
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

/**
 * The entries of one tree: `<mode> <name>\0<id in bytes>`, again and again. By the bytes of their names, as latin1: two
 * names that are no UTF-8 must not become one.
 */
async function readEntries(reader: ObjectReader, id: string | null, like: CommitId) {
  const entries = new Map<string, DiffSide>();
  if (id === null) return entries;
  const { content } = checkedObject(await reader.read(id), id, 'tree');
  const idBytes = like.length / 2;
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(0x20, at);
    const end = content.indexOf(0, blank);
    const mode = content.toString('latin1', at, blank);
    entries.set(content.toString('latin1', blank + 1, end), {
      mode,
      id: content.toString('hex', end + 1, end + 1 + idBytes),
    });
    at = end + 1 + idBytes;
  }
  return entries;
}
