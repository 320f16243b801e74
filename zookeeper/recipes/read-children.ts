import { childPath } from '../paths.ts';
import type { NodeData, Session } from '../session.ts';
import { readAny } from './read-any.ts';

/** The nodes below a node, as far as they were requested. */
export interface Children {
  /** By name, in alphabetical order. */
  readonly nodes: ReadonlyMap<string, NodeData>;
  /** Number of names that were not requested. */
  readonly ignored: number;
  /** Number of nodes that were not read because there are more than `maxNodes`. */
  readonly unread: number;
}

interface ChildrenOptions {
  /** Which names count; others are not read. */
  readonly names: (name: string) => boolean;
  /** Default 10,000. */
  readonly maxNodes?: number;
  /** The maximum number of parallel reads. Default 1,000. */
  readonly atOnce?: number;
}

/**
 * Reads the children of a node, whatever was put there. Guarantee: at most `maxNodes` reads, and at most `atOnce` in
 * parallel, so that each is answered within its deadline and foreign nodes cost no more than their names. A child that
 * disappears meanwhile is left out; one that its creator shut to us is empty; a missing parent has no children.
 * @throws ZooKeeperError
 */
export async function readChildren(session: Session, parent: string, options: ChildrenOptions): Promise<Children> {
  return await readListed(session, parent, (await session.children(parent)) ?? [], options);
}

/** The same for names that are already listed. */
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
