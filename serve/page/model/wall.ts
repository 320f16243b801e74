import type { AgentRow } from '../../api/shapes.ts';
import { byUrgency, countStates, rankOf, type ServerState, type StateCounts, stateOf, stateWord } from './states.ts';
import { asText } from './texts.ts';

/**
 * Which servers the wall shows, and in which groups: by state, the worst first, or by the values of a label. Up to
 * `MAX_TILES` servers have a tile each. Of a larger fleet the groups are closed, and each shows its worst servers.
 */

export const MAX_TILES = 1_000;
/** What one open group of a larger fleet shows. */
export const MAX_IN_GROUP = 200;
/** From this number on, the tiles of a group are small. */
const DENSE_FROM = 25;

export interface WallGroup {
  /** A state or a value: the same group has the same key at the next change. */
  readonly key: string;
  readonly title: string;
  /** Null: a group of a label, with servers of several states. */
  readonly state: ServerState | null;
  readonly size: number;
  readonly counts: StateCounts;
  readonly tiles: readonly AgentRow[];
  readonly isDense: boolean;
}

export interface WallPicture {
  readonly groups: readonly WallGroup[];
  /** Whether the fleet is too large for a tile each, so that groups are closed until a person opens them. */
  readonly isLarge: boolean;
  /** How many servers the filter left. */
  readonly found: number;
}

/** The group of those without the label. */
const WITHOUT = '\0';

/**
 * @param by `state`, or the name of a label.
 * @param filter words, each of which has to be in the server's name, state, host, commit, code or labels.
 */
export function wallOf(agents: Iterable<AgentRow>, by: string | null, filter: string): WallPicture {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [...agents].filter((agent) => {
    const text = words.length === 0 ? '' : haystack(agent);
    return words.every((word) => text.includes(word));
  });
  const isLarge = found.length > MAX_TILES;
  const groups = new Map<string, AgentRow[]>();
  for (const agent of byUrgency(found)) {
    const key = by === null ? stateOf(agent) : labelOf(agent, by);
    const group = groups.get(key);
    if (group) group.push(agent);
    else groups.set(key, [agent]);
  }
  const made = [...groups].map(([key, all]) => groupOf(key, by, all, isLarge));
  return { groups: by === null ? made : made.sort(byWorst), isLarge, found: found.length };
}

/** The names of labels that the wall can be grouped by: those that servers differ in, or some lack. */
export function labelNames(agents: Iterable<AgentRow>): string[] {
  const names = new Set<string>();
  for (const { labels } of agents) for (const name of Object.keys(labels)) names.add(name);
  return [...names].sort().slice(0, 50);
}

function groupOf(key: string, by: string | null, all: readonly AgentRow[], isLarge: boolean): WallGroup {
  const state = by === null ? (key as ServerState) : null;
  const tiles = isLarge ? all.slice(0, MAX_IN_GROUP) : all;
  return {
    key,
    title: state === null ? valueTitle(by ?? '', key) : state,
    state,
    size: all.length,
    counts: countStates(all),
    tiles,
    isDense: tiles.length >= DENSE_FROM,
  };
}

const labelOf = ({ labels }: AgentRow, by: string): string =>
  Object.hasOwn(labels, by) ? (labels[by] ?? '') : WITHOUT;

const valueTitle = (by: string, value: string): string =>
  value === WITHOUT ? `without ${asText(by, 70)}` : `${asText(by, 70)} ${asText(value, 70)}`;

/** Groups arrive with their worst server first. */
function byWorst(a: WallGroup, b: WallGroup): number {
  const worst = ({ counts }: WallGroup) => (counts[0] ? rankOf(counts[0].state) : 0);
  return worst(a) - worst(b) || (a.title < b.title ? -1 : 1);
}

function haystack(agent: AgentRow): string {
  const labels = Object.entries(agent.labels).map(([name, value]) => `${name}=${value}`);
  const { agentId, host, activeCommit, error } = agent;
  return [agentId, stateOf(agent), stateWord(agent), host, activeCommit, error?.code, ...labels]
    .join(' ')
    .toLowerCase();
}
