import type { RolloutShape } from '../../api/parts.ts';
import type { AgentRow } from '../../api/shapes.ts';
import type { PagePicture } from './picture.ts';
import { countStates, type StateCounts, stateOf, stateWord } from './states.ts';
import { ageText, asText, countText, namesText } from './texts.ts';

/**
 * A rollout as rows: the waves that are done, the current one with its servers, those to come; and in one sentence what
 * it waits for now.
 */

export interface WaveRow {
  readonly title: string;
  readonly part: 'done' | 'now' | 'later';
  readonly size: number;
  /** Known for waves that have begun. */
  readonly counts: StateCounts;
  /** Of the current wave, in its own order. */
  readonly agents: readonly AgentRow[];
}

export function waveRows(picture: PagePicture): WaveRow[] {
  const { rollout, agents } = picture;
  if (!rollout?.waves) return [];
  const isOver = rollout.state !== 'running' && rollout.state !== 'paused' && rollout.state !== 'halted';
  const done = [...agents.values()].filter(({ part }) => part === 'done');
  const members = rollout.members.flatMap((id) => agents.get(id) ?? []);
  const later = rollout.ahead.map((size, i) => row(waveTitle(rollout.wave + 1 + i, rollout), 'later', size));
  return [
    ...doneRows(rollout, done),
    ...(members.length === 0
      ? []
      : [
          {
            ...row(waveTitle(rollout.wave, rollout), isOver ? 'done' : 'now', members.length, members),
            agents: members,
          },
        ]),
    ...(isOver ? [] : later),
  ];
}

/** Which wave an earlier server was in is not kept, but for the canary. */
function doneRows(rollout: RolloutShape, done: readonly AgentRow[]): WaveRow[] {
  const canary = done.filter((agent) => agent.canary);
  const others = done.filter((agent) => !agent.canary && !rollout.members.includes(agent.agentId));
  const isCanaryOver = rollout.wave > 0 && canary.length > 0;
  const last = rollout.wave - 1;
  const first = rollout.policy?.canary === undefined ? 0 : 1;
  return [
    ...(isCanaryOver ? [row('canary', 'done', canary.length, canary)] : []),
    ...(others.length === 0 || last < first
      ? []
      : [row(first === last ? `wave ${last}` : `waves ${first} to ${last}`, 'done', others.length, others)]),
  ];
}

const row = (title: string, part: WaveRow['part'], size: number, of: readonly AgentRow[] = []): WaveRow => ({
  title,
  part,
  size,
  counts: countStates(of),
  agents: [],
});

/** The name of a wave on every screen, as in the terminal. */
export const waveTitle = (wave: number, { policy }: Pick<RolloutShape, 'policy'>): string =>
  wave === 0 && policy?.canary !== undefined ? 'canary' : `wave ${wave}`;

/** What the rollout waits for, or how it ended. */
export function waitsText(picture: PagePicture, now: number): string {
  const { rollout } = picture;
  if (rollout === null) return '';
  const why = asText(rollout.reason, 300);
  switch (rollout.state) {
    case 'paused':
      return `paused by ${personAndWhy(rollout.paused)}`;
    case 'running':
      return why === '' ? runningText(picture, rollout, now) : `waiting for: ${why}`;
    case 'proven':
      return 'proven: every expected server shows it';
    case 'unknown':
      return 'in a state that only a newer version of gitfleet knows';
    default:
      return `${rollout.state === 'rolled-back' ? 'rolled back' : rollout.state}${why === '' ? '' : `: ${why}`}`;
  }
}

function runningText({ agents }: PagePicture, rollout: RolloutShape, now: number): string {
  if (!rollout.waves) return 'all servers at once';
  const title = waveTitle(rollout.wave, rollout);
  if (rollout.soakAt !== null && rollout.policy !== null) {
    const watched = `${title} is done, watched for ${ageText(now - rollout.soakAt)} of ${asText(rollout.policy.soak, 20)}`;
    return rollout.policy.promote === 'manual' && rollout.wave === 0
      ? `${watched}, then waiting for gitfleet promote`
      : watched;
  }
  const open = rollout.members.flatMap((id) => agents.get(id) ?? []).filter((agent) => agent.standing !== 'active');
  const [first] = open;
  if (!first) return `${title}: waiting for the next look of the coordinator`;
  const words = open.length === 1 ? ` (${stateWord(first)})` : '';
  return `${title}: waiting for ${namesText(
    open.map(({ agentId }) => agentId),
    3,
  )}${words}`;
}

const personAndWhy = (said: RolloutShape['paused']): string =>
  said === null ? 'a person' : `${asText(said.by, 100)}${said.reason === '' ? '' : `: ${asText(said.reason, 200)}`}`;

/** `12 of 40 servers are done`. */
export function doneText({ agents }: PagePicture): string {
  const all = [...agents.values()].filter(({ part }) => part !== null);
  const done = all.filter((agent) => stateOf(agent) === 'active').length;
  return `${done} of ${countText(all.length, 'server')} are done`;
}
