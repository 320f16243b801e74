import jute from 'node-zookeeper-client/lib/jute/index.js';
import type { Clock } from '../../../../runtime/clock.ts';
import { nameOf, parentOf } from '../../../../zookeeper/paths.ts';
import type { ReplyPayload, Stat } from '../../../../zookeeper/wire/connection-types.ts';
import type { Asked, Change, Entry } from './wire.ts';

/**
 * A ZooKeeper server in memory: nodes, versions, transactions, sessions that time out, one-shot watches. It has no
 * sockets and no ensemble, and enforces no access rights; line.ts puts a breakable line in front of it. The suites
 * under test/zookeeper/suites run on both and show that it behaves like the real one where we use it.
 */
export interface FakeServer {
  /** The id of a new or resumed session; null: that session is over. */
  welcome(resume: bigint | null, timeoutMs: number): bigint | null;
  /** A sign of life from the client: its session lives for another timeout. */
  heard(sessionId: bigint): void;
  end(sessionId: bigint): void;
  alive(sessionId: bigint): boolean;
  handle(sessionId: bigint, asked: Asked, watcher: Watcher): Handled;
  /** A link that has ended gets no watch events any more. */
  forget(watcher: Watcher): void;
  readonly zxid: bigint;
  namesBelow(path: string): string[];
  /** What a node contains and when it was created, for checkers; null if there is none. */
  peek(
    path: string,
  ): { readonly data: Buffer; readonly czxid: bigint; readonly mzxid: bigint; readonly mtime: number } | null;
  /** What a backup of its data would contain now. */
  backup(): Backup;
  /**
   * Acts like a server that is started with the data of a backup, or with none: what came after it never happened, and
   * each session that it knows has a whole timeout to come back. The test has to cut the lines to it as well.
   */
  restore(from: Backup | 'nothing'): void;
  /** Calls the listener after each accepted write: for checkers. */
  onWrite(listener: (sessionId: bigint, changes: readonly Change[]) => void): void;
}

/** The data of the server at one moment. */
export interface Backup {
  readonly zxid: bigint;
  readonly nodes: ReadonlyMap<string, Node>;
  readonly timeouts: ReadonlyMap<bigint, number>;
}

type Watcher = (path: string) => void;
type Handled = { readonly payload: ReplyPayload } | { readonly refusal: number };

interface Node {
  data: Buffer;
  acl: readonly Entry[];
  czxid: bigint;
  mzxid: bigint;
  pzxid: bigint;
  ctime: number;
  mtime: number;
  version: number;
  cversion: number;
  aversion: number;
  owner: bigint;
  readonly children: Set<string>;
}

interface Live {
  readonly timeoutMs: number;
  readonly nodes: Set<string>;
  cancel: () => void;
}

const NO_NODE = -101;
const BAD_VERSION = -103;
const NO_CHILDREN_FOR_EPHEMERALS = -108;
const NODE_EXISTS = -110;
const NOT_EMPTY = -111;
const SESSION_EXPIRED = -112;
/** The error of those operations of a refused transaction that were not the cause. */
const RUNTIME_INCONSISTENCY = -2;

export function createFakeServer(clock: Clock): FakeServer {
  const nodes = new Map<string, Node>([['/', emptyNode(0n, clock.now(), 0n)]]);
  const sessions = new Map<bigint, Live>();
  const watches = { data: new Map<string, Set<Watcher>>(), children: new Map<string, Set<Watcher>>() };
  const listeners: ((sessionId: bigint, changes: readonly Change[]) => void)[] = [];
  let zxid = 0n;
  let lastSession = 0x1000n;

  function end(sessionId: bigint): void {
    const live = sessions.get(sessionId);
    if (!live) return;
    live.cancel();
    sessions.delete(sessionId);
    zxid++;
    for (const path of live.nodes) removeNode(path);
  }

  function heard(sessionId: bigint): void {
    const live = sessions.get(sessionId);
    if (!live) return;
    live.cancel();
    live.cancel = clock.after(live.timeoutMs, () => end(sessionId));
  }

  function fire(kind: keyof typeof watches, path: string): void {
    const set = watches[kind].get(path);
    watches[kind].delete(path);
    for (const watcher of set ?? []) watcher(path);
  }

  function leaveWatch(kind: keyof typeof watches, path: string, watcher: Watcher): void {
    const set = watches[kind].get(path) ?? new Set();
    watches[kind].set(path, set.add(watcher));
  }

  function backup(): Backup {
    const timeouts = new Map([...sessions].map(([id, { timeoutMs }]) => [id, timeoutMs]));
    return { zxid, nodes: copied(nodes), timeouts };
  }

  function restore(from: Backup | 'nothing'): void {
    const data = from === 'nothing' ? NO_DATA : from;
    for (const { cancel } of sessions.values()) cancel();
    for (const all of [nodes, sessions, watches.data, watches.children]) all.clear();
    zxid = data.zxid;
    if (from === 'nothing') nodes.set('/', emptyNode(0n, clock.now(), 0n));
    for (const [path, node] of copied(data.nodes)) nodes.set(path, node);
    for (const [id, timeoutMs] of data.timeouts) sessions.set(id, { timeoutMs, nodes: ownedBy(id), cancel: () => {} });
    for (const id of [...sessions.keys()]) heard(id);
  }

  function ownedBy(sessionId: bigint): Set<string> {
    return new Set([...nodes].flatMap(([path, { owner }]) => (owner === sessionId ? [path] : [])));
  }

  function removeNode(path: string): void {
    const node = nodes.get(path);
    if (!node) return;
    nodes.delete(path);
    const parent = parentOf(path) as string;
    forgetChild(nodes.get(parent), nameOf(path));
    sessions.get(node.owner)?.nodes.delete(path);
    fire('data', path);
    fire('children', path);
    fire('children', parent);
  }

  function forgetChild(parent: Node | undefined, name: string): void {
    parent?.children.delete(name);
    if (parent) parent.pzxid = zxid;
  }

  /** What refuses this change, checked before anything of its transaction is done, but after the changes before it. */
  function apply(
    change: Change,
    sessionId: bigint,
    undo: (() => void)[],
    after: (() => void)[],
  ): { refusal: number } | { path?: string; stat?: Stat } {
    const node = nodes.get(change.path);
    if (change.op !== 'create') {
      if (!node) return { refusal: NO_NODE };
      if (change.version >= 0 && change.version !== node.version) return { refusal: BAD_VERSION };
    }
    switch (change.op) {
      case 'check':
        return {};
      case 'set': {
        const before = { ...(node as Node) };
        undo.push(() => void nodes.set(change.path, before));
        nodes.set(change.path, {
          ...before,
          data: change.data,
          mzxid: zxid,
          mtime: Math.floor(clock.now()),
          version: before.version + 1,
        });
        after.push(() => fire('data', change.path));
        return { stat: statOf(nodes.get(change.path) as Node) };
      }
      case 'remove': {
        if ((node as Node).children.size > 0) return { refusal: NOT_EMPTY };
        const parent = nodes.get(parentOf(change.path) as string);
        const pzxid = parent?.pzxid;
        nodes.delete(change.path);
        forgetChild(parent, nameOf(change.path));
        undo.push(() => {
          nodes.set(change.path, node as Node);
          parent?.children.add(nameOf(change.path));
          if (parent) parent.pzxid = pzxid as bigint;
        });
        after.push(() => {
          sessions.get((node as Node).owner)?.nodes.delete(change.path);
          fire('data', change.path);
          fire('children', change.path);
          fire('children', parentOf(change.path) as string);
        });
        return {};
      }
      case 'create':
        return create(change, sessionId, undo, after);
    }
  }

  function create(
    change: Change & { op: 'create' },
    sessionId: bigint,
    undo: (() => void)[],
    after: (() => void)[],
  ): { refusal: number } | { path: string } {
    const parentPath = parentOf(change.path);
    const parent = parentPath === undefined ? undefined : nodes.get(parentPath);
    if (!parent || parentPath === undefined) return { refusal: parentPath === undefined ? NODE_EXISTS : NO_NODE };
    if (parent.owner !== 0n) return { refusal: NO_CHILDREN_FOR_EPHEMERALS };
    const ephemeral = (change.flags & 1) === 1;
    const number = String(parent.cversion).padStart(10, '0');
    const path = change.flags & 2 ? change.path + number : change.path;
    if (nodes.has(path)) return { refusal: NODE_EXISTS };
    const made = emptyNode(zxid, Math.floor(clock.now()), ephemeral ? sessionId : 0n);
    nodes.set(path, { ...made, data: change.data, acl: change.acl });
    parent.children.add(nameOf(path));
    parent.cversion++;
    const { pzxid } = parent;
    parent.pzxid = zxid;
    undo.push(() => {
      nodes.delete(path);
      parent.children.delete(nameOf(path));
      parent.cversion--;
      parent.pzxid = pzxid;
    });
    after.push(() => {
      if (ephemeral) sessions.get(sessionId)?.nodes.add(path);
      fire('data', path);
      fire('children', parentPath);
    });
    return { path };
  }

  function write(sessionId: bigint, changes: readonly Change[], multi: boolean): Handled {
    zxid++;
    const undo: (() => void)[] = [];
    const after: (() => void)[] = [];
    const results: { path?: string; stat?: Stat }[] = [];
    for (const [at, change] of changes.entries()) {
      const result = apply(change, sessionId, undo, after);
      if (!('refusal' in result)) {
        results.push(result);
        continue;
      }
      for (const back of undo.toReversed()) back();
      if (!multi) return { refusal: result.refusal };
      const refusal = result.refusal;
      const err = (index: number): number => (index < at ? 0 : index === at ? refusal : RUNTIME_INCONSISTENCY);
      return { payload: { results: changes.map((_, index) => ({ type: jute.OP_CODES.ERROR, err: err(index) })) } };
    }
    for (const tell of after) tell();
    for (const listener of listeners) listener(sessionId, changes);
    if (multi) return { payload: { results: results.map((result) => ({ type: 0, ...result })) } };
    return { payload: { ...results[0] } };
  }

  function read(asked: Exclude<Asked, { op: 'write' }>, watcher: Watcher): Handled {
    const node = nodes.get(asked.path);
    if ('watch' in asked && asked.watch && (node || asked.op === 'exists')) {
      leaveWatch(asked.op === 'children' ? 'children' : 'data', asked.path, watcher);
    }
    if (!node) return { refusal: NO_NODE };
    const stat = statOf(node);
    switch (asked.op) {
      case 'get':
        return { payload: { data: Buffer.from(node.data), stat } };
      case 'exists':
        return { payload: { stat } };
      case 'children':
        return { payload: { children: [...node.children], stat } };
      case 'getAcl':
        return { payload: { acl: node.acl as never, stat } };
      case 'setAcl':
        if (asked.version >= 0 && asked.version !== node.aversion) return { refusal: BAD_VERSION };
        node.acl = asked.acl;
        node.aversion++;
        return { payload: { stat: statOf(node) } };
    }
  }

  return {
    welcome(resume, timeoutMs) {
      if (resume !== null) {
        if (!sessions.has(resume)) return null;
        heard(resume);
        return resume;
      }
      const id = ++lastSession;
      sessions.set(id, { timeoutMs, nodes: new Set(), cancel: () => {} });
      zxid++;
      heard(id);
      return id;
    },
    heard,
    end,
    alive: (sessionId) => sessions.has(sessionId),
    handle(sessionId, asked, watcher) {
      if (!sessions.has(sessionId)) return { refusal: SESSION_EXPIRED };
      heard(sessionId);
      return asked.op === 'write' ? write(sessionId, asked.operations, asked.multi) : read(asked, watcher);
    },
    forget(watcher) {
      for (const kind of [watches.data, watches.children]) for (const set of kind.values()) set.delete(watcher);
    },
    get zxid() {
      return zxid;
    },
    backup,
    restore,
    namesBelow: (path) => [...(nodes.get(path)?.children ?? [])],
    peek: (path) => nodes.get(path) ?? null,
    onWrite: (listener) => void listeners.push(listener),
  };
}

const NO_DATA: Backup = { zxid: 0n, nodes: new Map(), timeouts: new Map() };

const copied = (nodes: ReadonlyMap<string, Node>): Map<string, Node> =>
  new Map([...nodes].map(([path, node]) => [path, { ...node, children: new Set(node.children) }]));

const emptyNode = (zxid: bigint, now: number, owner: bigint): Node => ({
  data: Buffer.alloc(0),
  acl: [],
  czxid: zxid,
  mzxid: zxid,
  pzxid: zxid,
  ctime: now,
  mtime: now,
  version: 0,
  cversion: 0,
  aversion: 0,
  owner,
  children: new Set(),
});

function statOf(node: Node): Stat {
  return {
    czxid: node.czxid,
    mzxid: node.mzxid,
    pzxid: node.pzxid,
    ctime: Math.floor(node.ctime),
    mtime: Math.floor(node.mtime),
    version: node.version,
    aversion: node.aversion,
    ephemeralOwner: node.owner,
    numChildren: node.children.size,
  };
}
