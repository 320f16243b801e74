import { orDisconnected } from '../abortable.ts';
import { childPath, nameOf, parentOf } from '../paths.ts';
import { type AclEntry, ANY_VERSION, type ConnectedPeriod, type Operation, type Session } from '../session.ts';
import { whoseTurn } from './contention.ts';

/**
 * A place in a queue of ephemeral sequential nodes, and what is held once it is our turn. Shared by lock, election and
 * semaphore, each of which only adds the rule for when its turn comes.
 */
export interface QueueNode {
  readonly node: string;
  /** The czxid of the node: larger for each later place, across all sessions. */
  readonly fence: bigint;
}

/** What a holder has. The holder must stop acting when `signal` fires, and put `guard` into every transaction. */
export interface Held extends QueueNode {
  /**
   * Fires when holding is no longer certain: the session is suspended, or the node is gone. Work must stop at once. A
   * late signal does no harm if every write carries the guard.
   */
  readonly signal: AbortSignal;
  /**
   * The first operation of each transaction: the servers refuse it once the node is gone, whatever the holder believes.
   */
  readonly guard: Operation;
  /** Gives it up. Resolves once the node is removed, or the connection is lost. Idempotent; never throws. */
  release(): Promise<void>;
}

export interface QueueOptions {
  /** The parent of all places. It must exist. */
  readonly path: string;
  readonly data?: Buffer;
  readonly acl?: readonly AclEntry[];
}

/**
 * Long enough to always learn the outcome (resolve-lost-write.ts), so that no node of ours is left without an owner.
 */
export const UNTIL_ANSWERED = { deadlineMs: 24 * 3_600_000 };

export async function enqueue(session: Session, prefix: string, options: QueueOptions): Promise<QueueNode> {
  const acl = options.acl ? { acl: options.acl } : {};
  for (;;) {
    const start = childPath(options.path, prefix);
    const data = options.data ?? Buffer.alloc(0);
    const node = await session.create(start, data, 'ephemeral-sequential', { ...UNTIL_ANSWERED, ...acl });
    const stat = await session.exists(node, UNTIL_ANSWERED);
    if (stat) return { node, fence: stat.czxid };
  }
}

/**
 * Waits until the place is the first of its queue. Resolves to the connected period in which it was seen as the first,
 * or to null if the node is gone (its session was lost, or it was removed). Rejects when `signal` fires.
 */
export async function waitUntilHead(
  session: Session,
  place: QueueNode,
  signal: AbortSignal,
  /** Called for each reading that finds others before us. */
  onWait: (names: readonly string[], position: number) => void = () => {},
): Promise<ConnectedPeriod | null> {
  const parent = parentOf(place.node) ?? '/';
  for (;;) {
    const connection = await session.connected(signal);
    signal.throwIfAborted();
    const names = await session.children(parent, UNTIL_ANSWERED);
    signal.throwIfAborted();
    const turn = whoseTurn(names ?? [], nameOf(place.node));
    if (!turn) return null;
    // A period that ended while we read proves nothing: read again in the next one.
    if (turn.before === undefined && !connection.signal.aborted) return connection;
    if (turn.before !== undefined) {
      onWait(names ?? [], turn.position);
      await untilGone(session, childPath(parent, turn.before), AbortSignal.any([signal, connection.signal]));
    }
  }
}

/** Waits until the node is gone or another node has its name. */
async function untilGone(session: Session, path: string, signal: AbortSignal, czxid?: bigint): Promise<void> {
  for await (const snapshot of session.watch(path, { signal })) {
    if (!snapshot.exists || (czxid !== undefined && snapshot.stat.czxid !== czxid)) return;
  }
}

/** What is held from `connection` on; its signal watches the period and the node. */
export function holdNode(session: Session, place: QueueNode, connection: ConnectedPeriod): Held {
  const over = new AbortController();
  const end = (why: string) => over.abort(new DOMException(why, 'AbortError'));
  const onPeriodEnd = () => end('the session is not connected any more');
  connection.signal.addEventListener('abort', onPeriodEnd, { once: true });
  if (connection.signal.aborted) onPeriodEnd();
  untilGone(session, place.node, over.signal, place.fence)
    .catch(() => {})
    .finally(() => end('the node is gone'));
  let released: Promise<void> | undefined;
  return {
    ...place,
    signal: over.signal,
    guard: { op: 'check', path: place.node, version: ANY_VERSION },
    release() {
      connection.signal.removeEventListener('abort', onPeriodEnd);
      end('released');
      released ??= leaveQueue(session, place);
      return released;
    },
  };
}

/**
 * Removes the node, unless it has gone with its session. Never throws, and waits only while connected: the removal
 * itself continues until it is done or the session is over.
 */
export async function leaveQueue(session: Session, place: QueueNode): Promise<void> {
  const removed = session.remove(place.node, ANY_VERSION, UNTIL_ANSWERED).catch(() => {});
  await orDisconnected(session, removed);
}
