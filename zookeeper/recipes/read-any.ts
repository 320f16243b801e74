import { isCode } from '../errors.ts';
import type { NodeData, Session } from '../session.ts';

/**
 * Reads a node that any client may have made, with rights of its own choice. Guarantee: one that its creator shut to us
 * is there and empty, as one with nonsense in it would be, so that no client stops a reader by a node that it may make.
 * @throws ZooKeeperError as `get`, but for NO_AUTH.
 */
export async function readAny(session: Session, path: string): Promise<NodeData | null> {
  try {
    return await session.get(path);
  } catch (error) {
    if (!isCode(error, 'NO_AUTH')) throw error;
    // ZooKeeper tells every client whether there is a node, and its stat.
    const stat = await session.exists(path);
    return stat && { data: Buffer.alloc(0), stat };
  }
}
