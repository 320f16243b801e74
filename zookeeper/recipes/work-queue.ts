import { FleetError } from '../../runtime/errors.ts';
import { orAborted } from '../abortable.ts';
import { isCode, ZooKeeperError } from '../errors.ts';
import { childPath, nameOf } from '../paths.ts';
import { type AclEntry, ANY_VERSION, type NodeData, type Operation, type Session } from '../session.ts';
import { inOrder } from './contention.ts';
import { enqueue, holdNode, leaveQueue, type QueueNode, UNTIL_ANSWERED, waitUntilHead } from './queue-node.ts';

/**
 * A queue into which several programs put work and from which several take it, in order. Guarantee: an item that was
 * put is handled at least once, or is in `failed/` after five attempts. If the taker of an item dies, loses its session
 * or gives the item back, the item is given out again; `done` removes it only for its current taker. `put` refuses
 * beyond a thousand entries, so that the list can always be read; programs that put at the same moment may exceed that
 * by one each.
 * What breaks it: effects of a taker that are not repeatable, because an item is given out again under the same id when
 * its taker is cut off (its signal has fired by then); and a put that is repeated after the outcome `unknown`, which
 * makes two items. A taker that dies as the head of the line delays the others until its session ends.
 *
 *     items/item-<id>-<n>        the content as put; its version counts the attempts
 *     items/taken-item-<id>-<n>  ephemeral: the taker's claim; counts as an entry too
 *     takers/taker-<id>-<n>      the line of waiting takers; only its head watches the items
 *     failed/item-<id>-<n>       the newest thousand with all attempts used up
 */
export interface WorkQueueOptions {
  readonly path: string;
  readonly acl?: readonly AclEntry[];
  /** Default and maximum: 1,000. */
  readonly most?: number;
  /** Default 5. */
  readonly tries?: number;
}

export interface Item {
  /** The same each time the item is given out. */
  readonly id: string;
  readonly data: Buffer;
  /** 1 at the first attempt. */
  readonly attempt: number;
  /**
   * Fires when another taker may get the item, because the session is suspended or the claim is gone. Work on it must
   * stop then.
   */
  readonly signal: AbortSignal;
  /** The first operation of a transaction: refused once another taker has the item. */
  readonly guard: Operation;
  /** Handled: the item is removed. @throws FleetError GIVEN_AWAY if another taker has it or has handled it. */
  done(): Promise<void>;
  /** Not handled: given out again at once, or moved to `failed/`. Changes nothing if another taker has it. */
  giveBack(): Promise<void>;
}

const MOST = 1_000;
const TRIES = 5;
const PREFIX = 'item-';
const FOLDERS = ['items', 'takers', 'failed'] as const;

/** Creates the znodes of a queue. Succeeds if they already exist. */
export async function ensureWorkQueue(session: Session, { path, acl }: WorkQueueOptions): Promise<void> {
  for (const folder of FOLDERS) await session.ensure(childPath(path, folder), acl ? { acl } : {});
}

/** Resolves to the id of the item. @throws FleetError FULL */
export async function putItem(session: Session, options: WorkQueueOptions, data: Buffer): Promise<string> {
  const { path, acl, most = MOST } = options;
  const items = childPath(path, 'items');
  const held = (await session.exists(items))?.numChildren ?? 0;
  const limit = Math.min(most, MOST);
  if (held >= limit) throw FleetError.of('FULL', `the queue ${path} has ${held} entries, and ${limit} at most`);
  const node = await session.create(childPath(items, PREFIX), data, 'persistent-sequential', acl ? { acl } : {});
  return nameOf(node);
}

/** Waits for a free item; `signal` gives up. */
export async function takeItem(session: Session, options: WorkQueueOptions, signal: AbortSignal): Promise<Item> {
  const line = { path: childPath(options.path, 'takers'), ...(options.acl ? { acl: options.acl } : {}) };
  for (;;) {
    const place = await orAborted(enqueue(session, 'taker-', line), signal, (late) => leaveQueue(session, late));
    try {
      if (await waitUntilHead(session, place, signal)) {
        const taken = takeAtHead(session, options, place, signal);
        const item = await orAborted(taken, signal, (late) => late?.giveBack());
        if (item) return item;
      }
    } catch (error) {
      void leaveQueue(session, place);
      signal.throwIfAborted();
      if (!(error instanceof ZooKeeperError) || error.next !== 'retry') throw error;
    }
    await leaveQueue(session, place);
  }
}

/** Null if the place in the line was lost in the meantime. */
async function takeAtHead(
  session: Session,
  options: WorkQueueOptions,
  place: QueueNode,
  signal: AbortSignal,
): Promise<Item | null> {
  let item: Item | null = null;
  try {
    for await (const list of session.watchChildren(childPath(options.path, 'items'), { signal })) {
      for (const name of list.exists ? freeItems(list.names) : []) {
        const taken = await takeNamed(session, options, place, name);
        if (taken === null) return null;
        if (taken === 'next') continue;
        item = taken;
        return item;
      }
    }
  } catch (error) {
    // Ending the stream may fail after an item was taken.
    await item?.giveBack();
    throw error;
  }
  signal.throwIfAborted();
  return null;
}

function freeItems(names: readonly string[]): string[] {
  const all = new Set(names);
  return inOrder(names, PREFIX).filter((name) => !all.has(claimOf(name)));
}

const claimOf = (name: string): string => `taken-${name}`;

/** The item; `next` if it is gone, taken or failed; null if our place in the line is gone. */
async function takeNamed(
  session: Session,
  options: WorkQueueOptions,
  place: QueueNode,
  name: string,
): Promise<Item | 'next' | null> {
  const path = childPath(childPath(options.path, 'items'), name);
  const claim = childPath(childPath(options.path, 'items'), claimOf(name));
  const found = await session.get(path);
  if (!found) return 'next';
  const { data, stat } = found;
  if (stat.version >= (options.tries ?? TRIES)) {
    await moveToFailed(session, options, path, found);
    return 'next';
  }
  const acl = options.acl ? { acl: options.acl } : {};
  const take: Operation[] = [
    { op: 'remove', path: place.node, version: ANY_VERSION },
    { op: 'set', path, data, version: stat.version },
    { op: 'create', path: claim, data: Buffer.alloc(0), mode: 'ephemeral', ...acl },
  ];
  try {
    await session.transact(take, UNTIL_ANSWERED);
  } catch (error) {
    if (!isCode(error, 'NO_NODE', 'BAD_VERSION', 'NODE_EXISTS')) throw error;
    return error.failedAt === 0 ? null : 'next';
  }
  const connection = await session.connected();
  const owned = await session.exists(claim, UNTIL_ANSWERED);
  // The claim may have gone with a session that was lost at this moment.
  if (owned?.ephemeralOwner !== connection.sessionId) return null;
  const { signal } = holdNode(session, { node: claim, fence: owned.czxid }, connection);
  return itemOf(session, { path, claim, data, version: stat.version + 1, signal });
}

async function moveToFailed(
  session: Session,
  { path, acl }: WorkQueueOptions,
  item: string,
  { data, stat }: NodeData,
): Promise<void> {
  const failed = childPath(path, 'failed');
  const move: Operation[] = [
    { op: 'remove', path: item, version: stat.version },
    { op: 'create', path: childPath(failed, nameOf(item)), data, mode: 'persistent', ...(acl ? { acl } : {}) },
  ];
  try {
    await session.transact(move);
  } catch (error) {
    if (!isCode(error, 'NO_NODE', 'BAD_VERSION', 'NODE_EXISTS')) throw error;
  }
  const names = inOrder((await session.children(failed)) ?? [], PREFIX);
  for (const name of names.slice(0, Math.max(0, names.length - MOST))) {
    await session.remove(childPath(failed, name), ANY_VERSION).catch(ignore('NO_NODE'));
  }
}

interface Taken {
  readonly path: string;
  readonly claim: string;
  readonly data: Buffer;
  /** The item's version since it was taken; the next taker changes it. */
  readonly version: number;
  readonly signal: AbortSignal;
}

function itemOf(session: Session, { path, claim, data, version, signal }: Taken): Item {
  const remove: Operation = { op: 'remove', path, version };
  const removeClaim: Operation = { op: 'remove', path: claim, version: ANY_VERSION };
  const guard: Operation = { op: 'check', path, version };

  async function done(): Promise<void> {
    try {
      await session.transact([remove, removeClaim]).catch(async (error: unknown) => {
        // The claim went with its session, and the item has not been given out again.
        if (!isCode(error, 'NO_NODE') || error.failedAt !== 1) throw error;
        await session.transact([remove]);
      });
    } catch (error) {
      if (!isCode(error, 'NO_NODE', 'BAD_VERSION')) throw error;
      throw FleetError.of('GIVEN_AWAY', `${path} was given to another taker`, undefined, error);
    }
  }

  return {
    id: nameOf(path),
    data,
    attempt: version,
    signal,
    guard,
    done,
    giveBack: async () => {
      await session.transact([guard, removeClaim]).catch(ignore('NO_NODE', 'BAD_VERSION'));
    },
  };
}

const ignore =
  (...codes: Parameters<typeof isCode>[1][]) =>
  (error: unknown) => {
    if (!isCode(error, ...codes)) throw error;
  };
