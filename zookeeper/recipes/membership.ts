import { orDisconnected } from '../abortable.ts';
import type { ZooKeeperError } from '../errors.ts';
import type { Session } from '../session.ts';
import { keepPresence } from './keep-presence.ts';
import {
  enterState,
  isHeld,
  type KeptPresence,
  type MembershipOptions,
  type MembershipState,
} from './membership-states.ts';
import type { Holder } from './presence-node.ts';

/**
 * One ephemeral node that says "I am here", kept for as long as its process lives: it is made again after the session
 * expired, after the node was removed, and after an ensemble was wiped. It names an instance (one process) and a
 * machine. A node left by a dead process of the same machine is taken over. A node held by another machine belongs to a
 * clone with our name: the membership is `refused` and names the holder, until the node goes away (the states:
 * membership-states.ts; what happens at the node: keep-presence.ts).
 *
 * Guarantee: `held()` is true only in a connected period in which the server showed us the node as ours. Of two live
 * processes with one machineId, the later one gets the node; a lock on the machine must ensure that there is only one.
 */
export function joinMembership(session: Session, options: MembershipOptions): Membership {
  const member: KeptPresence = {
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
    else if (member.state === 'held') enterState(member, 'joining', null);
  });
  const kept = keepPresence(member);
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
  readonly state: MembershipState;
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

async function refresh(member: KeptPresence): Promise<void> {
  const { session, options } = member;
  const found = isHeld(member) ? await session.get(options.path) : null;
  if (found && found.stat.ephemeralOwner === member.confirmed?.connection.sessionId) {
    const data = options.data(found.stat.ephemeralOwner);
    await session.set(options.path, data, found.stat.version);
  }
}

async function leave(member: KeptPresence, kept: Promise<void>): Promise<void> {
  const { session, options } = member;
  const mine = isHeld(member) ? member.confirmed : undefined;
  member.stop.abort(new DOMException('left', 'AbortError'));
  enterState(member, 'left', null);
  await orDisconnected(session, kept);
  if (!mine) return;
  try {
    const stat = await session.exists(options.path);
    if (stat?.ephemeralOwner === mine.connection.sessionId) await session.remove(options.path, stat.version);
  } catch (error) {
    options.log.debug({ error, path: options.path }, 'the presence goes with its session');
  }
}
