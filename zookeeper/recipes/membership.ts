import { type Backoff, fullJitter } from '../../runtime/backoff.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { createRetryLoop, type RetryLoop } from '../../runtime/retry-loop.ts';
import { orDisconnected } from '../abortable.ts';
import { isCode, ZooKeeperError } from '../errors.ts';
import type { AclEntry, ConnectedPeriod, NodeData, Session, Snapshot } from '../session.ts';
import { type Holder, isContested, isTaken, readHolder } from './presence-node.ts';

/**
 * One ephemeral node that says "I am here", kept for as long as its process lives: it is made again after the session
 * expired, after the node was removed, and after an ensemble was wiped. It names an instance (one process) and a
 * machine. A node left by a dead process of the same machine is taken over. A node held by another machine belongs to a
 * clone with our name: the membership is `refused` and names the holder, until the node goes away. Guarantee: `held()`
 * is true only in a connected period in which the server showed us the node as ours. Of two live processes with one
 * machineId, the later one gets the node; a lock on the machine must ensure that there is only one.
 *
 *   joining ── the node is seen as ours ──▶ held ── the session is suspended or lost ──▶ joining
 *      │  ▲                                  │
 *      │  └─ the holder's node went away ─┐  │ another process has the node
 *      └─── another machine holds it ──▶ refused
 *   joining ── the node there is false ──▶ contested ── it went away ──▶ joining
 *   any ── leave() ──▶ left
 *
 * `contested`: no other process has our name, but its place is taken by a node that no session holds, or that `isFalse`
 * says is not genuine. We may not remove it, and need not wait until another client does.
 *
 * `joining` with a `problem`: joining fails until a person acts or the servers change (rights, a quota, a session that
 * may hold no ephemerals). The problem is logged, `onChange` is called, and joining is retried.
 */
export function joinMembership(session: Session, options: MembershipOptions): Membership {
  const member: Member = {
    session,
    options,
    stop: new AbortController(),
    listeners: new Set(),
    round: new AbortController(),
    state: 'joining',
    holder: null,
    problem: null,
    confirmed: undefined,
    newest: -1n,
  };
  const offState = session.onState((connected) => {
    if (connected === 'connected') member.round.abort(new DOMException('connected again', 'AbortError'));
    else if (member.state === 'held') enter(member, 'joining', null);
  });
  const kept = keep(member);
  return {
    held: () => isHeld(member),
    get state() {
      return member.state;
    },
    get holder() {
      return member.holder;
    },
    get problem() {
      return member.problem;
    },
    get fence() {
      return isHeld(member) ? member.confirmed?.czxid : undefined;
    },
    onChange(listener) {
      member.listeners.add(listener);
      return () => member.listeners.delete(listener);
    },
    refresh: () => refresh(member),
    lookAgain: () => member.round.abort(new DOMException('look again', 'AbortError')),
    async leave() {
      if (member.state === 'left') return;
      offState();
      await leave(member, kept);
    },
  };
}

export interface Membership {
  held(): boolean;
  readonly state: 'joining' | 'held' | 'refused' | 'contested' | 'left';
  /** Who holds the node, if not us. */
  readonly holder: Holder | null;
  /** Why joining currently fails, if waiting alone does not help. */
  readonly problem: ZooKeeperError | null;
  /** The czxid of our node, larger for each later holder; undefined while the node is not held. */
  readonly fence: bigint | undefined;
  /** Calls `listener` after each change of state, holder or problem. The returned function removes it. */
  onChange(listener: () => void): () => void;
  /** Writes `data()` again; does nothing while the node is not held. */
  refresh(): Promise<void>;
  /** Call it when the answer of `isFalse` may have changed. */
  lookAgain(): void;
  /** Removes the node if it is ours. Idempotent; never throws. */
  leave(): Promise<void>;
}

interface MembershipOptions {
  readonly path: string;
  readonly instanceId: string;
  readonly machineId: string;
  /** The content of a node of that server session: a JSON object with members `instanceId` and `machineId`. */
  readonly data: (sessionId: bigint) => Buffer;
  /** Whether a node of another session at our place is no presence of any process that could have our name. */
  readonly isFalse?: (found: NodeData) => boolean;
  readonly acl?: readonly AclEntry[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

interface Member {
  readonly session: Session;
  readonly options: MembershipOptions;
  readonly stop: AbortController;
  readonly listeners: Set<() => void>;
  /** Ends the current watch, so that the node is judged again. */
  round: AbortController;
  state: Membership['state'];
  holder: Holder | null;
  problem: ZooKeeperError | null;
  /** Our node's czxid, and the connected period in which the server showed it as ours. */
  confirmed: { readonly connection: ConnectedPeriod; readonly czxid: bigint } | undefined;
  /** The czxid of our newest node; -1 before the first. */
  newest: bigint;
}

const AGAIN: Backoff = { firstMs: 200, maxMs: 15_000 };

function enter(
  member: Member,
  state: Membership['state'],
  holder: Holder | null,
  problem: ZooKeeperError | null = null,
): void {
  const { path, log } = member.options;
  const sameProblem = member.problem?.code === problem?.code;
  const same = member.state === state && member.holder?.instanceId === holder?.instanceId && sameProblem;
  member.state = state;
  member.holder = holder;
  member.problem = problem;
  if (same) return;
  log.debug({ path, state, holder: holder?.instanceId, code: problem?.code }, 'presence');
  for (const listener of [...member.listeners]) {
    try {
      listener();
    } catch (error) {
      log.error({ error }, 'a listener to the presence threw');
    }
  }
}

async function keep(member: Member): Promise<void> {
  const { session, stop, options } = member;
  const { clock, random } = options;
  const retryLoop = createRetryLoop(options);
  let attempt = 0;
  while (!stop.signal.aborted) {
    member.round = new AbortController();
    const signal = AbortSignal.any([stop.signal, member.round.signal]);
    try {
      for await (const snapshot of session.watch(options.path, { signal })) {
        await look(member, snapshot);
        if (member.problem !== null) continue;
        retryLoop.wentWell();
        attempt = 0;
      }
      // A new connected period: judge the node again, even if it has not changed.
      if (session.state === 'closed') return;
    } catch (error) {
      if (stop.signal.aborted || session.state === 'closed') return;
      if (!(await isShut(member, error))) fail(member, error, retryLoop);
      // A new connection ends the wait, because it may end the problem.
      member.round = new AbortController();
      const woken = AbortSignal.any([stop.signal, member.round.signal]);
      await clock.sleep(fullJitter(AGAIN, attempt++, random), woken).catch(() => {});
    }
  }
}

/** Whether the node at our place is contested and we may not even read it. Then we check again periodically. */
async function isShut(member: Member, error: unknown): Promise<boolean> {
  const { session, options } = member;
  if (!isCode(error, 'NO_AUTH')) return false;
  const stat = await session.exists(options.path).catch(() => null);
  const found = stat && { data: Buffer.alloc(0), stat };
  if (found === null || !isContested(options, found)) return false;
  contest(member, readHolder(found.data));
  return true;
}

/** A failure that the next attempt settles is no problem. */
function fail(member: Member, error: unknown, retryLoop: RetryLoop): void {
  const { path } = member.options;
  if (isCode(error, 'DEADLINE', 'CONNECTION_LOSS', 'NODE_EXISTS')) return;
  enter(member, 'joining', null, error instanceof ZooKeeperError ? error : null);
  retryLoop.failed(error, { path }, 'cannot show that this process is online, retrying');
}

/** Judges the node once and does what is needed. Our own writes ring the watch, which leads to the next judgement. */
async function look(member: Member, snapshot: Snapshot): Promise<void> {
  const { session, options } = member;
  const connection = await session.connected(member.stop.signal);
  member.confirmed = undefined;
  if (snapshot.exists && snapshot.stat.ephemeralOwner === connection.sessionId) {
    member.confirmed = { connection, czxid: snapshot.stat.czxid };
    member.newest = snapshot.stat.czxid;
    return enter(member, 'held', null);
  }
  const { path, acl } = options;
  const create = {
    op: 'create',
    path,
    data: options.data(connection.sessionId),
    mode: 'ephemeral',
    ...(acl ? { acl } : {}),
  } as const;
  if (!snapshot.exists) {
    await session.transact([create]);
    return;
  }
  const found = readHolder(snapshot.data);
  if (isContested(options, snapshot)) return contest(member, found);
  if (isTaken(options, member.newest, found, snapshot.stat.czxid)) return refuse(member, found);
  // Ours, but of another session, which ends or has ended: that of an earlier process of this machine, or of this
  // process.
  const { version, ephemeralOwner } = snapshot.stat;
  await session.transact([{ op: 'remove', path, version }, create]).catch((error: unknown) => {
    // If we may not delete presences, the node goes with its session; then the watch rings.
    if (!isCode(error, 'NO_AUTH')) throw error;
    if (ephemeralOwner === 0n) return contest(member, found);
    if (member.holder === null) options.log.info({ path }, 'waiting until the session of an earlier process ends');
    enter(member, 'joining', found);
  });
}

function contest(member: Member, found: Holder): void {
  const { path, log } = member.options;
  if (member.state !== 'contested')
    log.error(
      { path, code: 'IMPOSTOR' },
      'a node that is not ours is at our name; continuing without a presence until it is removed',
    );
  enter(member, 'contested', found);
}

function refuse(member: Member, found: Holder): void {
  const { path, log } = member.options;
  if (member.holder?.instanceId !== found.instanceId) {
    log.error({ path, holder: found.instanceId }, 'another process holds this name: give each machine its own name');
  }
  enter(member, 'refused', found);
}

const isHeld = ({ confirmed, state }: Member): boolean =>
  confirmed !== undefined && !confirmed.connection.signal.aborted && state === 'held';

async function refresh(member: Member): Promise<void> {
  const { session, options } = member;
  const found = isHeld(member) ? await session.get(options.path) : null;
  if (found && found.stat.ephemeralOwner === member.confirmed?.connection.sessionId) {
    const data = options.data(found.stat.ephemeralOwner);
    await session.set(options.path, data, found.stat.version);
  }
}

async function leave(member: Member, kept: Promise<void>): Promise<void> {
  const { session, options } = member;
  const mine = isHeld(member) ? member.confirmed : undefined;
  member.stop.abort(new DOMException('left', 'AbortError'));
  enter(member, 'left', null);
  await orDisconnected(session, kept);
  if (!mine) return;
  try {
    const stat = await session.exists(options.path);
    if (stat?.ephemeralOwner === mine.connection.sessionId) await session.remove(options.path, stat.version);
  } catch (error) {
    options.log.debug({ error, path: options.path }, 'the presence goes with its session');
  }
}
