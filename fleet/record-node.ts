import { type Deployment, type Outcome, parseDeployment, parseOutcome } from '../schemas/deployment.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { CallOptions, NodeData, Session } from '../zookeeper/session.ts';

/** A znode that its creator may have shut to us: it then counts as `unreadable`, which is no reason to fail. */
export type FoundNode = NodeData | 'unreadable' | null;

export async function find(session: Session, path: string, options?: CallOptions): Promise<FoundNode> {
  return await session.get(path, options).catch((error: unknown) => {
    if (isCode(error, 'NO_AUTH')) return 'unreadable' as const;
    throw error;
  });
}

export const contentOf = (found: FoundNode): NodeData | null => (found === 'unreadable' ? null : found);

/** The version that a write of this node must name; null: there is no node. */
export type FoundVersion = number | 'unreadable' | null;

export const versionOf = (found: FoundNode): FoundVersion =>
  found === 'unreadable' ? found : (found?.stat.version ?? null);

/** The nodes of one deployment: its record, which is written once, and its outcome. */
export interface RecordNodes {
  readonly record: FoundNode;
  readonly outcome: FoundNode;
}

/** Reads both in parallel: one round trip. */
export async function findRecord(
  session: Session,
  znodes: Znodes,
  number: number,
  options?: CallOptions,
): Promise<RecordNodes> {
  const [record, outcome] = await Promise.all([
    find(session, znodes.deployment(number), options),
    find(session, znodes.outcome(number), options),
  ]);
  return { record, outcome };
}

/**
 * A deployment, as every reader sees it; null if its record is missing or unreadable. Its number is the znode's, and
 * its times are the ensemble's: when the record was created, and when the outcome was written. The times of the
 * writer's own clock, in the content, are not used. 0.1.0 kept the outcome in the record.
 */
export function joinRecord(number: number, { record, outcome }: RecordNodes): Deployment | null {
  const node = contentOf(record);
  const read = node && parseDeployment(node.data);
  if (!node || !read) return null;
  const inside = read.outcome && { ...read.outcome, at: node.stat.mtime };
  return { ...read, number, at: node.stat.ctime, outcome: outcomeIn(contentOf(outcome)) ?? inside };
}

function outcomeIn(node: NodeData | null): Outcome | null {
  const read = node && parseOutcome(node.data);
  return node && read && { ...read, at: node.stat.mtime };
}
