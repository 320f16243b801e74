import { childPath } from '../paths.ts';
import type { NodeData, Session } from '../session.ts';
import { readAny } from './read-any.ts';

/** What lies below a node, as far as it was asked for. */
export interface Children {
  /** By name, in alphabetical order. */
  readonly nodes: ReadonlyMap<string, NodeData>;
  /** Names that were not asked for. */
  readonly ignored: number;
  /** Nodes that were not read, since there are more than `maxNodes`. */
  readonly unread: number;
}

interface ChildrenOptions {
  /** Which names count; others are not read. */
  readonly names: (name: string) => boolean;
  /** Default 10,000. */
  readonly maxNodes?: number;
  /** How many reads are under way at a time. Default 1,000. */
  readonly atOnce?: number;
}

/**
 * Reads the children of a node, whatever was put there. Guarantee: no more reads than `maxNodes`, and no more at a time
 * than `atOnce`, so that each has its answer within its deadline and foreign nodes cost at most their names. A child that
 * goes meanwhile is left out, one that its creator shut to us is empty; a missing parent has no children.
 * @throws ZooKeeperError
 */
export async function readChildren(session: Session, parent: string, options: ChildrenOptions): Promise<Children> {
  return await readListed(session, parent, (await session.children(parent)) ?? [], options);
}

/** The same for names that were listed already. */
export async function readListed(
  session: Session,
  parent: string,
  all: readonly string[],
  options: ChildrenOptions,
): Promise<Children> {
  const { names: counts, maxNodes = 10_000, atOnce = 1_000 } = options;
  const asked = all.filter(counts).sort();
  const nodes = new Map<string, NodeData>();
  const read = asked.slice(0, maxNodes);
  for (let from = 0; from < read.length; from += atOnce) {
    const batch = read.slice(from, from + atOnce);
    const found = await Promise.all(batch.map((name) => readAny(session, childPath(parent, name))));
    for (const [at, node] of found.entries()) if (node) nodes.set(batch[at] as string, node);
  }
  return { nodes, ignored: all.length - asked.length, unread: asked.length - read.length };
}
