import { visible } from '../../runtime/safe-text.ts';
import { fingerprint, type Identity } from '../../schemas/enrolment.ts';
import type { EnrolOutput } from '../../schemas/json-output.ts';
import { count, names } from './words.ts';

/** The output of `gitfleet enrol`, and what other screens say about enrolment. */
export function enrolmentLines(app: string, { open, said, unreadable, agents }: EnrolOutput): string[] {
  const who = said ? `, by ${visible(said.by, 100)}${said.reason === '' ? '' : `: ${visible(said.reason, 200)}`}` : '';
  const state = open
    ? `${app}: enrolment is open${who}: every holder of agent.auth can be any agent`
    : `${app}: enrolment is closed${who}: only ${count(agents.length, 'enrolled agent')} ${agents.length === 1 ? 'counts' : 'count'}`;
  return [
    unreadable === null ? state : `${app}: ${unreadable}`,
    ...sharedKeyLines(agents),
    ...agents.map(
      (each) => `  ${visible(each.agentId, 100)}  ${fingerprint(each)}, entered by ${visible(each.by, 100)}`,
    ),
    open ? `next: ${CLOSE_NEXT}` : 'next: gitfleet status names what is not enrolled',
  ];
}

/** Agents with the same key, such as after a server was copied with its state directory. */
function sharedKeyLines(agents: EnrolOutput['agents']): string[] {
  const byKey = new Map<string, string[]>();
  for (const { agentId, key } of agents) byKey.set(key, [...(byKey.get(key) ?? []), agentId]);
  return [...byKey.values()]
    .filter((same) => same.length > 1)
    .map(
      (same) =>
        `warning: ${names(same)} have one key, so each can speak for the others: stop the copies, remove` +
        ' zookeeper-credential and signing-key from their state directories, start them and enter them again',
    );
}

/** How to close a fleet whose agents already run. */
export const CLOSE_NEXT = 'gitfleet enrol --online --close enters the agents that are online, then only those count';

interface Named {
  readonly agentId: string;
  readonly identity: Identity;
}

/** @param done what was entered now and before; see `keptLines` and `blockedLines` for the rest. */
export function enteredLines(
  done: Readonly<Record<'entered' | 'same' | 'kept' | 'blocked', readonly Named[]>>,
): string[] {
  const { entered, same, kept, blocked } = done;
  const before = same.length > 0 ? [`entered before: ${names(same.map(({ agentId }) => agentId))}`] : [];
  if (entered.length === 0) {
    const none = 'no online agent says who it is: is this version of gitfleet running there?';
    return same.length + kept.length + blocked.length === 0 ? [none] : before;
  }
  return [
    `entered ${count(entered.length, 'agent')}; compare with gitfleet agent status on each server:`,
    ...entered.map(({ agentId, identity }) => `  ${visible(agentId, 100)}  ${fingerprint(identity)}`),
    ...before,
  ];
}

/** A server with a new disk, or another client with its name: a person has to compare, and enter it by name. */
export const keptLines = (kept: readonly Named[]): string[] =>
  kept.map(
    ({ agentId, identity }) =>
      `${visible(agentId, 100)} is entered under another identity than ${fingerprint(identity)}, which is online: not` +
      ` changed; if its server has a new disk, type the command that gitfleet agent status prints there`,
  );

/** ZooKeeper does not remove a node with children, and their creator decides about rights to them. */
export const blockedLines = (blocked: readonly Named[]): string[] =>
  blocked.map(
    ({ agentId }) =>
      `${visible(agentId, 100)} is not entered: another client made nodes below its place in agents; a superuser of` +
      ' ZooKeeper can remove them; or give that server another id',
  );

export const withoutIdentityLines = (online: readonly string[]): string[] =>
  online.length === 0
    ? []
    : [
        `online without an identity, so not entered: ${names(online)}; an agent of an earlier version does not count` +
          ` while enrolment is closed: upgrade it, then enter it`,
      ];

export function removedLines(asked: readonly string[], removed: readonly string[]): string[] {
  const missing = asked.filter((id) => !removed.includes(id));
  return [
    ...(removed.length > 0 ? [`no longer enrolled: ${names(removed)}; next: gitfleet forget for what each left`] : []),
    ...(missing.length > 0 ? [`was not enrolled: ${names(missing)}`] : []),
  ];
}

export const openedLines = (open: boolean, changed: boolean): string =>
  changed
    ? `enrolment is ${open ? 'open' : 'closed'} from now on`
    : `enrolment was ${open ? 'open' : 'closed'} already`;

/** For status; empty if every name is enrolled. */
export const notEnrolledLines = (notEnrolled: readonly string[]): string[] =>
  notEnrolled.length === 0
    ? []
    : [`${count(notEnrolled.length, 'name')} not enrolled: ${names(notEnrolled)}; next: gitfleet enrol, or forget`];
