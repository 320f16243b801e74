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
 * Watches as streams of the latest state. A watch event, a reconnect and a slow timer all ring the same bell, and a
 * bell means only: read again and leave a new watch. So a lost event costs at most the slow re-read, a slow reader
 * skips what is outdated, and what is yielded was read from a server at least as new as any that we heard before.
 * A failure that passes is waited out; one that a person must fix (NO_AUTH) ends the stream with its error.
 */
export function createWatches(parts: WatchParts): Pick<Session, 'watch' | 'watchChildren'> {
  const { reads, calls, log } = parts;

  /** Without a promise where the node is there and as new as it should be: a fleet reads it in the same instant. */
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

  /** Reading a missing node leaves no watch; asking whether it exists does, and it may exist by now. */
  async function readMissing(path: string, last: Mark | undefined): Promise<Snapshot> {
    for (;;) {
      const deadline = calls.deadline(undefined);
      if ((await reads.existsBy(path, deadline, true)) === null) return { exists: false };
      const found = await reads.getBy(path, deadline, true);
      if (found && isOlder(last, found)) return readAgain(path, last);
      if (found) return { exists: true, ...found };
    }
  }

  /** Brings the server that answers us up to date, where we may write there. */
  async function catchUp(path: string): Promise<void> {
    await parts.catchUp(path).catch((error: unknown) => {
      if (!(error instanceof ZooKeeperError) || error.next === 'retry') throw error;
    });
  }

  /** Guards against a server that shows an older state than we have already given out. */
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
 * What tells one state of a node from another: its content changes only with its mzxid, and czxid and version tell a
 * node that a restored ensemble made again. Null where there is none.
 */
type Mark = Pick<NodeStat, 'czxid' | 'mzxid' | 'version'> | null;

const markOf = (snapshot: Snapshot): Mark => (snapshot.exists ? snapshot.stat : null);

function marksDiffer(last: Mark, next: Mark): boolean {
  if (!last || !next) return last !== next;
  return last.mzxid !== next.mzxid || last.czxid !== next.czxid || last.version !== next.version;
}

const isOlder = (last: Mark | undefined, next: NodeData) => last != null && next.stat.mzxid < last.mzxid;

/**
 * What tells one list of children from another. Names do not: a child that went and came back under its name is another
 * node. czxid tells apart a parent that was made again.
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
