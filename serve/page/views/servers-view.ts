import { Fragment, h, type VNode } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { AgentRow } from '../../api/shapes.ts';
import { nextPlace } from '../model/arrow-keys.ts';
import { addressOf } from '../model/routes.ts';
import { forText, STATE_LOOKS, spokenText, stateOf, stateWord, whyText } from '../model/states.ts';
import { asText, countText, grouped, shortCommit } from '../model/texts.ts';
import { labelNames, type WallGroup, wallOf } from '../model/wall.ts';
import { html } from './html.ts';
import { icon } from './icons.ts';
import { legend } from './parts.ts';

/**
 * The wall of servers: a tile each, the failing and the stale ones first. One stop for the Tab key; the arrow keys move
 * on it. A tile is drawn again only if its server changed, so a second costs little with a thousand of them.
 */

export interface WallProps {
  readonly agents: ReadonlyMap<string, AgentRow>;
  readonly now: number;
  /** The server that a reader looked at last: the wall's stop for the Tab key. */
  readonly last: string | null;
}

export function Wall({ agents, now, last }: WallProps): VNode {
  const [by, setBy] = useState<string | null>(null);
  const [filter, setFilter] = useState('');
  const [current, setCurrent] = useState(last);
  const wall = useMemo(() => wallOf(agents.values(), by, filter), [agents, by, filter]);
  const labels = useMemo(() => labelNames(agents.values()), [agents]);
  const root = useRef<HTMLElement>(null);
  const first = wall.groups[0]?.tiles[0]?.agentId;
  const isShown = wall.groups.some(({ tiles }) => tiles.some(({ agentId }) => agentId === current));
  const stop = isShown ? current : first;
  const move = (event: KeyboardEvent) => {
    const to = targetOf(event, root.current);
    if (to === null) return;
    event.preventDefault();
    to.focus();
    setCurrent(to.dataset['agent'] ?? null);
  };
  const groups = wall.groups.map((group) =>
    h(Group, { key: group.key, group, now, stop: stop ?? null, isClosed: wall.isLarge && group.state !== 'failed' }),
  );
  return html`<${Fragment}>
    ${tools({ filter, setFilter, by, setBy, labels, found: wall.found, all: agents.size })}
    ${wall.found === 0 && html`<p class="card">${agents.size === 0 ? 'No server has come online yet.' : 'No server matches.'}</p>`}
    <section class="groups" aria-label="Servers" ref=${root} onKeyDown=${move}>${groups}</section>
  <//>`;
}

interface Tools {
  readonly filter: string;
  readonly setFilter: (text: string) => void;
  readonly by: string | null;
  readonly setBy: (name: string | null) => void;
  readonly labels: readonly string[];
  readonly found: number;
  readonly all: number;
}

function tools({ filter, setFilter, by, setBy, labels, found, all }: Tools): VNode | null {
  if (all < 2) return null;
  const typed = (event: Event) => setFilter((event.currentTarget as HTMLInputElement).value);
  const chosen = (event: Event) => setBy((event.currentTarget as HTMLSelectElement).value.replace(/^=/, '') || null);
  return html`<div class="tools" role="search">
    <label>
      Find
      <input type="search" value=${filter} onInput=${typed} placeholder="name, state, label, commit" autocomplete="off" spellcheck=${false} />
    </label>
    ${
      labels.length > 0 &&
      html`<label>
        Group by
        <select value=${by === null ? '' : `=${by}`} onChange=${chosen}>
          <option value="">state</option>
          ${labels.map((name) => html`<option key=${name} value=${`=${name}`}>${asText(name, 70)}</option>`)}
        </select>
      </label>`
    }
    <p class="quiet" aria-live="polite">${filter === '' ? '' : `${grouped(found)} of ${countText(all, 'server')}`}</p>
    <p class="hint">Arrow keys move on the wall, Enter opens a server</p>
  </div>`;
}

interface GroupProps {
  readonly group: WallGroup;
  readonly now: number;
  readonly stop: string | null;
  readonly isClosed: boolean;
}

function Group({ group, now, stop, isClosed }: GroupProps): VNode {
  const { title, state, size, tiles, isDense, counts } = group;
  const [isOpen, setOpen] = useState(!isClosed);
  const look = state === null ? null : STATE_LOOKS[state];
  const heading = html`<h2 class=${`state ${look?.tone ?? ''}`}>
    ${look && icon(look.shape)}<bdi>${title}</bdi> <span class="count">${countText(size, 'server')}</span>
  </h2>`;
  const list = html`<ul class=${isDense ? 'wall dense' : 'wall'} role="list">
    ${tiles.map((agent) => h(Tile, { key: agent.agentId, agent, now, isStop: agent.agentId === stop, isTold: state !== null }))}
  </ul>`;
  const more =
    size > tiles.length && html`<p class="quiet">and ${grouped(size - tiles.length)} more: use Find to see them</p>`;
  if (!isClosed)
    return html`<div class="group"><${Fragment}>${heading}<//>${state === null && legend(counts)}${list}</div>`;
  const toggled = (event: Event) => setOpen((event.currentTarget as HTMLDetailsElement).open);
  return html`<details class="group" open=${isOpen} onToggle=${toggled}>
    <summary>${heading}${state === null && legend(counts)}</summary>
    ${isOpen && list}${isOpen && more}
  </details>`;
}

interface TileProps {
  readonly key: string;
  readonly agent: AgentRow;
  readonly now: number;
  readonly isStop: boolean;
  /** Its state stands in the heading of its group, for those who see it. */
  readonly isTold: boolean;
}

function Tile({ agent, now, isStop, isTold }: TileProps): VNode {
  const since = forText(agent, now);
  // Of all reasons this one alone has an age in it.
  const lastSeen = agent.standing === 'offline' ? whyText(agent, now) : '';
  return useMemo(() => tile({ agent, now, isStop, isTold }, since), [agent, isStop, isTold, since, lastSeen]);
}

function tile({ agent, now, isStop, isTold }: Omit<TileProps, 'key'>, since: string): VNode {
  const state = stateOf(agent);
  const { tone, shape } = STATE_LOOKS[state];
  const [word, why, shows] = [stateWord(agent), whyText(agent, now), shortCommit(agent.activeCommit)];
  const isHidden = isTold && word === state;
  return html`<li>
    <a
      class=${`tile is-${tone}`}
      href=${addressOf('servers', agent.agentId)}
      data-agent=${agent.agentId}
      tabIndex=${isStop ? 0 : -1}
      title=${spokenText(agent, now)}
    >
      ${icon(shape, tone)}
      <bdi class="name">${asText(agent.agentId, 100)}</bdi>
      <span class="line words"><span class=${isHidden ? 'hidden' : ''}>${word}${why === '' ? '' : ' · '}</span>${why}</span>
      <span class="line">${since === '' ? shows : `${shows} · ${since}`}</span>
    </a>
  </li>`;
}

/** Where the pressed key leads; null: it is none of the wall's. */
function targetOf(event: KeyboardEvent, root: HTMLElement | null): HTMLElement | null {
  const from = (event.target as HTMLElement).closest<HTMLElement>('a.tile');
  if (root === null || from === null || event.altKey || event.ctrlKey || event.metaKey) return null;
  const tiles = [...root.querySelectorAll<HTMLElement>('a.tile')];
  const places = tiles.map((tile) => tile.getBoundingClientRect());
  const to = nextPlace(event.key, tiles.indexOf(from), places);
  return to === null ? null : (tiles[to] ?? null);
}
