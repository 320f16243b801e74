import { isCode } from '../errors.ts';
import type { NodeData, Session } from '../session.ts';

/**
 * Reads a node that any client may have created, with rights of its choice. Guarantee: a node that its creator shut to
 * us counts as existing and empty, so no client can stop a reader with a node that it may create.
 * @throws ZooKeeperError as `get`, except NO_AUTH.
 */
export async function readAny(session: Session, path: string): Promise<NodeData | null> {
  try {
    return await session.get(path);
  } catch (error) {
    if (!isCode(error, 'NO_AUTH')) throw error;
    // ZooKeeper tells every client whether a node exists, and its stat.
    const stat = await session.exists(path);
    return stat && { data: Buffer.alloc(0), stat };
  }
}
