import { type Backoff, fullJitter } from '../../runtime/backoff.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { orDisconnected } from '../abortable.ts';
import { isCode, ZooKeeperError } from '../errors.ts';
import type { AclEntry, ConnectedPeriod, Session, Snapshot } from '../session.ts';

/**
 * One ephemeral node that says "I am here", kept for as long as its process lives: made again after the session
 * expired, after somebody removed it, and after an ensemble was wiped. It names an instance (one process) and a machine:
 * a node left by a dead process of the same machine is taken over at once, one held by another machine is a clone with
 * our name, and is refused with its holder named, until it goes away.
 * Guarantee: `held()` is true only in a stretch of connection in which the server showed us the node as ours. Of two live
 * processes with one machineId the later one gets it; that there is only one is for a lock on the machine to say.
 */
export interface Membership {
  held(): boolean;
  readonly state: 'joining' | 'held' | 'refused' | 'left';
  /** Who holds the node when it is not us. */
  readonly holder: Holder | null;
  /** Why joining fails at present. */
  readonly problem: ZooKeeperError | null;
  /** The czxid of our node, larger for each later holder; undefined while it is not held. */
  readonly fence: bigint | undefined;
  onChange(listener: () => void): () => void;
  /** Writes `data()` anew; does nothing while the node is not held. */
  refresh(): Promise<void>;
  /** Removes the node if it is ours. Idempotent; never throws. */
  leave(): Promise<void>;
}

interface Holder {
  readonly instanceId: string;
  readonly machineId: string;
  readonly data: Buffer;
}

interface MembershipOptions {
  readonly path: string;
  readonly instanceId: string;
  readonly machineId: string;
  /** A JSON object with members `instanceId` and `machineId`, as others read them. */
  readonly data: () => Buffer;
  readonly acl?: readonly AclEntry[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const AGAIN: Backoff = { firstMs: 200, maxMs: 15_000 };

export function joinMembership(session: Session, options: MembershipOptions): Membership {
  const { path, clock, log } = options;
  const stop = new AbortController();
  const listeners = new Set<() => void>();
  let state: Membership['state'] = 'joining';
  let holder: Holder | null = null;
  let problem: ZooKeeperError | null = null;
  let confirmed: { connection: ConnectedPeriod; czxid: bigint } | undefined;
  let newest = -1n;
  let stretch = new AbortController();

  function stand(next: Membership['state'], who: Holder | null, why: ZooKeeperError | null = null): void {
    const same = state === next && holder?.instanceId === who?.instanceId && problem?.code === why?.code;
    state = next;
    holder = who;
    problem = why;
    if (same) return;
    log.debug({ path, state, holder: who?.instanceId, code: why?.code }, 'presence');
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch (error) {
        log.error({ error }, 'a listener to the presence threw');
      }
    }
  }

  async function keep(): Promise<void> {
    for (let attempt = 0; !stop.signal.aborted; attempt++) {
      stretch = new AbortController();
      try {
        for await (const snapshot of session.watch(path, { signal: AbortSignal.any([stop.signal, stretch.signal]) })) {
          await look(snapshot);
          attempt = 0;
        }
        if (session.state === 'closed') return;
        attempt = -1; // A new stretch of connection: look again, also at a node that has not changed.
      } catch (error) {
        if (stop.signal.aborted || session.state === 'closed') return;
        if (stretch.signal.aborted) attempt = -1;
        const why = error instanceof ZooKeeperError ? error : null;
        if (!why) log.error({ error, path }, 'keeping the presence failed');
        if (!isCode(error, 'DEADLINE', 'CONNECTION_LOSS', 'NODE_EXISTS')) stand('joining', null, why);
        await clock.sleep(fullJitter(AGAIN, attempt, options.random), stop.signal).catch(() => {});
      }
    }
  }

  /** One look at the node, with what it asks for. Its own writes ring the watch, which looks again. */
  async function look(snapshot: Snapshot): Promise<void> {
    const connection = await session.connected(stop.signal);
    confirmed = undefined;
    if (snapshot.exists && snapshot.stat.ephemeralOwner === connection.sessionId) {
      confirmed = { connection, czxid: snapshot.stat.czxid };
      newest = snapshot.stat.czxid;
      return stand('held', null);
    }
    const create = { op: 'create', path, data: options.data(), mode: 'ephemeral', ...acl() } as const;
    if (!snapshot.exists) {
      await session.transact([create]);
      return;
    }
    const found = readHolder(snapshot.data);
    const clone = found.instanceId !== options.instanceId && found.machineId !== options.machineId;
    // Somebody of our own machine took our node while we live: the newer process has it, we do not fight.
    const superseded = found.instanceId !== options.instanceId && newest >= 0n && snapshot.stat.czxid > newest;
    if (clone || superseded) {
      const words = 'this name is held by somebody else: give each machine a name of its own';
      if (holder?.instanceId !== found.instanceId) log.error({ path, holder: found.instanceId }, words);
      return stand('refused', found);
    }
    // Ours, of a session that is over or will be: of an earlier process of this machine, or of this one.
    await session.transact([{ op: 'remove', path, version: snapshot.stat.version }, create]);
  }

  const acl = () => (options.acl ? { acl: options.acl } : {});
  const held = () => confirmed !== undefined && !confirmed.connection.signal.aborted && state === 'held';
  const offState = session.onState((connected) => {
    if (connected === 'connected') stretch.abort(new DOMException('connected anew', 'AbortError'));
    else if (state === 'held') stand('joining', null);
  });
  const kept = keep();

  return {
    held,
    get state() {
      return state;
    },
    get holder() {
      return holder;
    },
    get problem() {
      return problem;
    },
    get fence() {
      return held() ? confirmed?.czxid : undefined;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async refresh() {
      const found = held() ? await session.get(path) : null;
      if (found && found.stat.ephemeralOwner === confirmed?.connection.sessionId) {
        await session.set(path, options.data(), found.stat.version);
      }
    },
    async leave() {
      if (state === 'left') return;
      const mine = held() ? confirmed : undefined;
      offState();
      stop.abort(new DOMException('left', 'AbortError'));
      stand('left', null);
      await orDisconnected(session, kept);
      if (!mine) return;
      try {
        const stat = await session.exists(path);
        if (stat?.ephemeralOwner === mine.connection.sessionId) await session.remove(path, stat.version);
      } catch (error) {
        log.debug({ error, path }, 'the presence goes with its session');
      }
    },
  };
}

function readHolder(data: Buffer): Holder {
  let said: { instanceId?: unknown; machineId?: unknown } | null = null;
  try {
    said = JSON.parse(data.toString('utf8'));
  } catch {
    // Written by somebody else: nobody we know holds it.
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return { instanceId: text(said?.instanceId) || 'unknown', machineId: text(said?.machineId), data };
}
