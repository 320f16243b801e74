import type { AgentRow } from '../../api/shapes.ts';
import { ageText, asText, countText, shortCommit } from './texts.ts';

/**
 * Each state of a server in a word, a shape and a tone. The word and the shape say all; the tone repeats it for those
 * who see colours.
 */

export type ServerState = AgentRow['standing'] | 'retrying' | 'waiting';
export type StateTone = 'good' | 'bad' | 'busy' | 'idle';
export type StateShape = 'check' | 'cross' | 'alert' | 'question' | 'clock' | 'arrow' | 'pin' | 'pause' | 'ring';

export interface StateLook {
  readonly tone: StateTone;
  readonly shape: StateShape;
}

/** The worst first, and what is out of date before what is on its way: the order of the wall. */
export const STATE_LOOKS: Readonly<Record<ServerState, StateLook>> = {
  failed: { tone: 'bad', shape: 'cross' },
  retrying: { tone: 'bad', shape: 'alert' },
  silent: { tone: 'busy', shape: 'question' },
  offline: { tone: 'idle', shape: 'ring' },
  waiting: { tone: 'busy', shape: 'clock' },
  working: { tone: 'busy', shape: 'arrow' },
  overridden: { tone: 'busy', shape: 'pin' },
  suspended: { tone: 'idle', shape: 'pause' },
  active: { tone: 'good', shape: 'check' },
};

const ORDER = Object.keys(STATE_LOOKS) as readonly ServerState[];
const RANKS: Readonly<Record<string, number>> = Object.fromEntries(ORDER.map((state, rank) => [state, rank]));

/** The lower, the more urgent. */
export const rankOf = (state: ServerState): number => RANKS[state] ?? 0;

/** `working` in three: one that fails and tries again, one that waits for something, and one that is on its way. */
export function stateOf({ standing, error }: Pick<AgentRow, 'standing' | 'error'>): ServerState {
  if (standing !== 'working' || error === null) return standing;
  return error.next === 'retry' ? 'retrying' : 'waiting';
}

/** Failing and stale ones first, then by name: web-2 before web-10. Ten thousand are sorted in some ms. */
export function byUrgency(agents: Iterable<AgentRow>): AgentRow[] {
  const keyed = Array.from(agents, (agent) => ({ agent, rank: rankOf(stateOf(agent)), key: sortKey(agent.agentId) }));
  keyed.sort((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return keyed.map(({ agent }) => agent);
}

/** Numbers in a name count by their value. */
const sortKey = (agentId: string): string => agentId.replace(/\d+/g, (digits) => digits.padStart(12, '0'));

export type StateCounts = readonly { readonly state: ServerState; readonly count: number }[];

/** How many agents are in each state that one is in, the worst first. */
export function countStates(agents: Iterable<AgentRow>): StateCounts {
  const counts = new Map<ServerState, number>();
  for (const agent of agents) counts.set(stateOf(agent), (counts.get(stateOf(agent)) ?? 0) + 1);
  return ORDER.flatMap((state) => {
    const count = counts.get(state);
    return count === undefined ? [] : [{ state, count }];
  });
}

/** The state in words: a phase such as `fetching` says more than `working`. */
export function stateWord(agent: AgentRow): string {
  const state = stateOf(agent);
  if (state !== 'working' || agent.phase === null) return state;
  return agent.phase === 'awaiting' ? 'ready, waiting for its turn' : agent.phase;
}

/** Why it is in that state, on one line; empty: the state says all. */
export function whyText(agent: AgentRow, now: number): string {
  const { error, waitingFor, problem, drift } = agent;
  switch (stateOf(agent)) {
    case 'failed':
    case 'retrying':
    case 'waiting':
      return errorText(agent);
    case 'silent':
      return problem === null ? 'online, has not answered yet' : asText(problem, 300);
    case 'offline':
      return offlineText(agent, now);
    case 'suspended':
      return personText(agent.suspended);
    case 'overridden':
      return personText(agent.override);
    case 'working':
      if (error !== null) return errorText(agent);
      return waitingFor === null ? '' : `for ${asText(waitingFor, 200)}`;
    case 'active':
      return drift === 0 ? '' : `${countText(drift, 'file')} changed on the server`;
  }
}

function errorText({ error, attempts }: AgentRow): string {
  if (error === null) return '';
  const tries = error.next === 'retry' ? ` (try ${attempts})` : '';
  return `${asText(error.code, 40)}${tries}: ${asText(error.reason, 300)}`;
}

function personText(said: AgentRow['suspended']): string {
  if (said === null) return 'by a person on the server';
  return `by ${asText(said.by, 100)} on the server${said.reason === '' ? '' : `: ${asText(said.reason, 200)}`}`;
}

function offlineText({ falsePresence, reportedAt }: AgentRow, now: number): string {
  if (falsePresence) return 'a node that is not its own is in its place';
  return reportedAt === null ? 'never reported' : `last report ${ageText(now - reportedAt)} ago`;
}

/** For how long it has been in its phase, or offline; empty: not known. */
export function forText({ standing, phaseAt, reportedAt }: AgentRow, now: number): string {
  if (standing === 'silent' || standing === 'offline' || reportedAt === null) return '';
  return ageText(now - (phaseAt ?? reportedAt));
}

/** The whole tile for those who hear it. */
export function spokenText(agent: AgentRow, now: number): string {
  const why = whyText(agent, now);
  const shows = agent.activeCommit === null ? '' : `, shows ${shortCommit(agent.activeCommit)}`;
  return `${asText(agent.agentId, 100)}: ${stateWord(agent)}${why === '' ? '' : `, ${why}`}${shows}`;
}
