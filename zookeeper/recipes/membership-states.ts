import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ZooKeeperError } from '../errors.ts';
import type { AclEntry, ConnectedPeriod, NodeData, Session } from '../session.ts';
import type { Holder } from './presence-node.ts';

/**
 * The states of a membership and every transition between them; only `enterState` changes the state.
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
export type MembershipState = 'joining' | 'held' | 'refused' | 'contested' | 'left';

export interface MembershipOptions {
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

export interface KeptPresence {
  readonly session: Session;
  readonly options: MembershipOptions;
  readonly stop: AbortController;
  readonly listeners: Set<() => void>;
  /** Ends the current watch, so that the node is judged again. */
  round: AbortController;
  state: MembershipState;
  holder: Holder | null;
  problem: ZooKeeperError | null;
  /** Our node's czxid, and the connected period in which the server showed it as ours. */
  confirmed: { readonly connection: ConnectedPeriod; readonly czxid: bigint } | undefined;
  /** The czxid of our newest node; -1 before the first. */
  newest: bigint;
}

export function enterState(
  member: KeptPresence,
  state: MembershipState,
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

export function enterContested(member: KeptPresence, found: Holder): void {
  const { path, log } = member.options;
  if (member.state !== 'contested')
    log.error(
      { path, code: 'IMPOSTOR' },
      'a node that is not ours is at our name; continuing without a presence until it is removed',
    );
  enterState(member, 'contested', found);
}

export function enterRefused(member: KeptPresence, found: Holder): void {
  const { path, log } = member.options;
  if (member.holder?.instanceId !== found.instanceId) {
    log.error({ path, holder: found.instanceId }, 'another process holds this name: give each machine its own name');
  }
  enterState(member, 'refused', found);
}

export const isHeld = ({ confirmed, state }: KeptPresence): boolean =>
  confirmed !== undefined && !confirmed.connection.signal.aborted && state === 'held';
