import { isCode } from '../errors.ts';
import { type AclEntry, ANY_VERSION, type Session } from '../session.ts';

/**
 * A znode at which all waiters stop until it is removed. Guarantee: a wait that begins after a hold was acknowledged
 * does not end before a release of it began, whichever servers the two programs are connected to. What breaks it: two
 * programs that hold the same barrier, because the first release opens it for both; and a holder that dies with a
 * `persistent` hold, which then stays until it is released. An `ephemeral` hold ends with its session.
 */
export interface BarrierOptions {
  /** The znode of the barrier. Its parent must exist. */
  readonly path: string;
  readonly acl?: readonly AclEntry[];
}

/** False if it is already held, by this program or another one. */
export async function holdBarrier(
  session: Session,
  { path, acl }: BarrierOptions,
  mode: 'persistent' | 'ephemeral',
  data: Buffer = Buffer.alloc(0),
): Promise<boolean> {
  try {
    await session.create(path, data, mode, acl ? { acl } : {});
    return true;
  } catch (error) {
    if (isCode(error, 'NODE_EXISTS')) return false;
    throw error;
  }
}

/** False if it was not held. */
export async function releaseBarrier(session: Session, { path }: BarrierOptions): Promise<boolean> {
  try {
    await session.remove(path, ANY_VERSION);
    return true;
  } catch (error) {
    if (isCode(error, 'NO_NODE')) return false;
    throw error;
  }
}

/** Resolves once the barrier is not held. Rejects when `signal` fires, with its reason. */
export async function waitAtBarrier(session: Session, { path }: BarrierOptions, signal: AbortSignal): Promise<void> {
  // A server that lags may not yet show a hold that another server acknowledged.
  await session.catchUp('/');
  signal.throwIfAborted();
  for await (const snapshot of session.watch(path, { signal })) if (!snapshot.exists) return;
  signal.throwIfAborted();
}
