import { visible } from '../../runtime/safe-text.ts';
import type { ToldDeployment, ToldEvent, ToldName, What } from './event.ts';

const NAMED = 10;
/** In a line of a forge there is room for the first ones only. */
const NAMED_SHORT = 3;

const TITLES: Readonly<Record<What, string>> = {
  begun: 'began',
  proven: 'is proven',
  failed: 'failed',
  'rolled-back': 'was rolled back',
  aborted: 'was aborted',
  superseded: 'was superseded',
  'timed-out': 'has no result in time',
  halted: 'halted',
  'hold-set': 'publishing is on hold',
  'hold-lifted': 'publishing is allowed again',
  'agents-silent': '',
};

/** One line for people: what happened, in which app. Pure; control characters are written out. */
export function titleOf({ what, app, deployment, agents, reason }: ToldEvent): string {
  if (what === 'agents-silent') {
    const [first] = agents;
    const who = agents.length === 1 ? `agent ${named(first?.agentId ?? '')} has` : `${agents.length} agents have`;
    return `${app}: ${who} ${reason}`;
  }
  if (deployment === null) return `${app}: ${TITLES[what]}`;
  return `${app}: ${nameOf(deployment)} ${TITLES[what]}`;
}

/** The lines below the title: by whom and why, how many agents reached it, and which did not. */
export function linesOf(event: ToldEvent): string[] {
  const { what, by, reason, agents, deployment } = event;
  if (what === 'agents-silent') return agents.length > 1 ? [namesOf(agents, NAMED, agents.length)] : [];
  const word = reason === '' ? '' : text(reason);
  const lines = [
    deployment?.returnsTo ? `It returns to d-${deployment.returnsTo}.` : '',
    BY_PEOPLE.includes(what) ? [`By ${named(by)}`, ...(word === '' ? [] : [word])].join(': ') : word,
    countsOf(event),
    agents.length > 0 ? namesOf(agents, NAMED, missingOf(event)) : '',
  ];
  return lines.filter((line) => line !== '');
}

/** The others are judged by the agent that leads the rollout, which says nothing to people. */
const BY_PEOPLE: readonly What[] = ['begun', 'aborted', 'hold-set', 'hold-lifted'];

/** Title and lines. */
export const textOf = (event: ToldEvent): string => [titleOf(event), ...linesOf(event)].join('\n');

/** For the status of a forge, such as `d-12: 998/1000, 2 failed (web-7: HEALTH_FAILED)`. */
export function descriptionOf(said: {
  readonly number: number;
  readonly words: string;
  readonly reached: number;
  readonly expected: number;
  readonly agents: readonly ToldName[];
}): string {
  const counts = said.expected > 0 ? `${said.reached}/${said.expected}` : '';
  const { agents } = said;
  const bad = agents.length > 0 ? `${agents.length} failed (${namesOf(agents, NAMED_SHORT, agents.length)})` : '';
  const parts = [said.words, counts, bad].filter((part) => part !== '');
  return [`d-${said.number}`, ...(parts.length === 0 ? [] : [parts.join(', ')])].join(': ');
}

/** What an ending is called in the status of a forge. */
export const wordsOf = (what: What): string => (what === 'begun' ? '' : TITLES[what].replace(/^(is|was) /, ''));

const countsOf = ({ expected, reached }: ToldEvent): string =>
  expected > 0 ? `${reached} of ${expected} agents reached it.` : '';

/** An outcome names twenty agents at most; the counts know how many there are. */
const missingOf = ({ what, agents, expected, reached }: ToldEvent): number =>
  what === 'halted' ? agents.length : Math.max(agents.length, expected - reached);

function namesOf(agents: readonly ToldName[], most: number, all: number): string {
  const names = agents
    .slice(0, most)
    .map(({ agentId, code }) => (code === '' ? named(agentId) : `${named(agentId)}: ${named(code)}`));
  const more = all - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const nameOf = ({ number, commitId }: ToldDeployment): string => `d-${number} (${commitId.slice(0, 7)})`;
const named = (name: string): string => visible(name, 100);
const text = (words: string): string => visible(words, 300);
