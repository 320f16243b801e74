import type { Logger } from '../runtime/log.ts';
import type { Caller, Calls } from './calls.ts';
import { ZooKeeperError } from './errors.ts';
import type { Reads } from './reads.ts';
import type { ChildrenSnapshot, NodeChildren, NodeData, NodeStat, Session, Snapshot } from './session.ts';
import { type StreamParts, streamOf } from './watch-stream.ts';

interface WatchParts extends StreamParts {
  readonly reads: Reads;
  readonly calls: Calls;
  readonly catchUp: (path: string) => Promise<void>;
  readonly log: Logger;
}

/**
 * Watches as streams of the latest state. A watch event, a reconnect and a slow timer all ring the same bell, which
 * only means: read again and leave a new watch. So a lost event delays a change until the slow re-read at most, a slow
 * reader skips outdated states, and each item was read from a server at least as up to date as any before. A temporary
 * failure is waited out; one that a retry cannot fix (NO_AUTH) ends the stream with its error.
 */
export function createWatches(parts: WatchParts): Pick<Session, 'watch' | 'watchChildren'> {
  const { reads, calls, log } = parts;

  /**
   * Without a promise if the node exists and is not outdated: the watches of a whole fleet may read at the same
   * instant.
   */
  function nodeSource(path: string): (caller: Caller<Snapshot>) => (last: Mark | undefined) => void {
    return (caller) => {
      let newest: Mark | undefined;
      const asked: Caller<NodeData | null> = {
        resolve(found) {
          if (found && !isOlder(newest, found)) caller.resolve({ exists: true, data: found.data, stat: found.stat });
          else (found ? readAgain(path, newest) : readMissing(path, newest)).then(caller.resolve, caller.reject);
        },
        reject: caller.reject,
      };
      return (last) => {
        newest = last;
        reads.getFor(asked, path, calls.deadline(undefined));
      };
    };
  }

  /** Reading a missing node leaves no watch, but `exists` does. By then the node may exist. */
  async function readMissing(path: string, last: Mark | undefined): Promise<Snapshot> {
    for (;;) {
      const deadline = calls.deadline(undefined);
      if ((await reads.existsBy(path, deadline, true)) === null) return { exists: false };
      const found = await reads.getBy(path, deadline, true);
      if (found && isOlder(last, found)) return readAgain(path, last);
      if (found) return { exists: true, ...found };
    }
  }

  /** Brings the connected server up to date. Without the right to do so, the read continues as it is. */
  async function catchUp(path: string): Promise<void> {
    await parts.catchUp(path).catch((error: unknown) => {
      if (!(error instanceof ZooKeeperError) || error.next === 'retry') throw error;
    });
  }

  /** Guards against a server with an older state than the last item. */
  async function readAgain(path: string, last: Mark | undefined): Promise<Snapshot> {
    await catchUp(path);
    const found = await reads.getBy(path, calls.deadline(undefined), true);
    if (!found) return readMissing(path, undefined);
    if (isOlder(last, found)) {
      log.warn({ path, code: 'NODE_WENT_BACK' }, WENT_BACK);
    }
    return { exists: true, ...found };
  }

  async function readChildren(path: string, last: ChildrenMark | undefined): Promise<ChildrenSnapshot> {
    let caughtUp = false;
    for (;;) {
      const deadline = calls.deadline(undefined);
      const found = await reads.listBy(path, deadline);
      if (found && !caughtUp && isOlderList(last, found)) {
        await catchUp(path);
        caughtUp = true;
      } else if (found) {
        if (isOlderList(last, found)) log.warn({ path, code: 'NODE_WENT_BACK' }, WENT_BACK);
        return { exists: true, ...found };
      } else if ((await reads.existsBy(path, deadline, true)) === null) return { exists: false };
    }
  }

  return {
    watch: (path, options) => streamOf(parts, path, options, nodeSource(path), markOf, marksDiffer),
    watchChildren(path, options) {
      const source = (caller: Caller<ChildrenSnapshot>) => (last: ChildrenMark | undefined) => {
        readChildren(path, last).then(caller.resolve, caller.reject);
      };
      return streamOf(parts, path, options, source, childrenMarkOf, childrenMarksDiffer);
    },
  };
}

/**
 * Identifies one state of a node: its content changes only with its mzxid; czxid and version reveal a node that a
 * restored ensemble made again. Null if there is no node.
 */
type Mark = Pick<NodeStat, 'czxid' | 'mzxid' | 'version'> | null;

const markOf = (snapshot: Snapshot): Mark => (snapshot.exists ? snapshot.stat : null);

function marksDiffer(last: Mark, next: Mark): boolean {
  if (!last || !next) return last !== next;
  return last.mzxid !== next.mzxid || last.czxid !== next.czxid || last.version !== next.version;
}

const isOlder = (last: Mark | undefined, next: NodeData) => last != null && next.stat.mzxid < last.mzxid;

/**
 * Identifies one list of children. Names are not enough: a child that was removed and created again is another node.
 * czxid reveals a parent that was made again.
 */
type ChildrenMark = Pick<NodeStat, 'czxid' | 'pzxid'> | null;

const childrenMarkOf = (list: ChildrenSnapshot): ChildrenMark =>
  list.exists ? { czxid: list.stat.czxid, pzxid: list.stat.pzxid } : null;

function childrenMarksDiffer(last: ChildrenMark, next: ChildrenMark): boolean {
  if (!last || !next) return last !== next;
  return last.pzxid !== next.pzxid || last.czxid !== next.czxid;
}

const isOlderList = (last: ChildrenMark | undefined, next: NodeChildren) =>
  last != null && next.stat.pzxid < last.pzxid;

const WENT_BACK = 'a node is older than it was: data were restored';
