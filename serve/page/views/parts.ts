import type { VNode } from 'preact';
import type { HistoryRecord } from '../../api/parts.ts';
import type { AgentRow } from '../../api/shapes.ts';
import { commitLink } from '../model/forge-links.ts';
import type { Suggestion } from '../model/next-steps.ts';
import type { PagePicture } from '../model/picture.ts';
import { addressOf } from '../model/routes.ts';
import { STATE_LOOKS, type StateCounts, stateOf, stateWord } from '../model/states.ts';
import { ageText, asText, grouped, shortCommit, timeText } from '../model/texts.ts';
import { html } from './html.ts';
import { type IconName, icon } from './icons.ts';

/** The parts that several views share. Each text from outside stands in a `bdi`, so that its direction stays its own. */

/** The state of a server: shape and word. */
export const stateLabel = (agent: AgentRow): VNode => {
  const { tone, shape } = STATE_LOOKS[stateOf(agent)];
  return html`<span class=${`state ${tone}`}>${icon(shape)}${stateWord(agent)}</span>`;
};

/** How the fleet divides into states: a bar, and the same in words. */
export function shares(counts: StateCounts): VNode {
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  let left = 0;
  const bars = counts.map(({ state, count }) => {
    const width = (100 * count) / total;
    const bar = html`<rect class=${STATE_LOOKS[state].tone} x=${left} y="0" width=${Math.max(0.2, width - 0.15)} height="4" />`;
    left += width;
    return bar;
  });
  return html`<div class="shares">
    <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false">${bars}</svg>
    ${legend(counts)}
  </div>`;
}

export const legend = (counts: StateCounts): VNode => html`<ul class="legend" role="list">
  ${counts.map(({ state, count }) => {
    const { tone, shape } = STATE_LOOKS[state];
    return html`<li key=${state} class=${`state ${tone}`}>${icon(shape)}<span>${grouped(count)} ${state}</span></li>`;
  })}
</ul>`;

/** A commit in short, as a link to its forge where that is known. */
export function commit(commitId: string | null, url: string | null, { links }: Pick<PagePicture, 'links'>): VNode {
  const href = commitId === null || url === null ? null : commitLink(url, commitId, links);
  const text = html`<code title=${commitId === null ? undefined : asText(commitId, 64)}>${shortCommit(commitId)}</code>`;
  return href === null ? text : html`<a href=${href} rel="noopener noreferrer">${text}</a>`;
}

export const since = (at: number, now: number): VNode =>
  html`<time dateTime=${new Date(at).toISOString()} title=${timeText(at)}>${ageText(now - at)} ago</time>`;

export const foreign = (text: string, max = 500): VNode => html`<bdi>${asText(text, max)}</bdi>`;

/** A server as a link to its own view, with its shape. */
export function serverChip(agent: AgentRow): VNode {
  const { tone, shape } = STATE_LOOKS[stateOf(agent)];
  const word = stateWord(agent);
  return html`<li key=${agent.agentId}>
    <a class="chip" href=${addressOf('servers', agent.agentId)} title=${word}>
      ${icon(shape, tone)}<bdi>${asText(agent.agentId, 100)}</bdi><span class="hidden">, ${word}</span>
    </a>
  </li>`;
}

export interface Facts {
  readonly name: string;
  /** Null or empty: the fact is left out. */
  readonly value: VNode | string | null;
}

export const facts = (all: readonly Facts[]): VNode => html`<dl class="facts">
  ${all
    .filter(({ value }) => value !== null && value !== '')
    .map(({ name, value }) => [html`<dt>${name}</dt>`, html`<dd>${value}</dd>`])}
</dl>`;

/** What to type, each with a button that copies it. */
export function commands(
  steps: readonly Suggestion[],
  copy: (command: string) => void,
  title = 'What to type',
): VNode | null {
  if (steps.length === 0) return null;
  return html`<ul class="commands" role="list" aria-label=${title}>
    ${steps.map(
      ({ command, words }) => html`<li class="command" key=${command}>
        <code>${command}</code>
        <button type="button" aria-label=${`Copy ${command}`} onClick=${() => copy(command)}>Copy</button>
        ${words !== '' && html`<span class="quiet">${words}</span>`}
      </li>`,
    )}
  </ul>`;
}

interface OutcomeLook {
  readonly word: string;
  readonly tone: string;
  readonly shape: IconName;
}

const OUTCOMES: Readonly<Record<string, OutcomeLook>> = {
  proven: { word: 'proven', tone: 'good', shape: 'check' },
  failed: { word: 'failed', tone: 'bad', shape: 'cross' },
  'rolled-back': { word: 'rolled back', tone: 'bad', shape: 'back' },
  aborted: { word: 'aborted', tone: 'idle', shape: 'square' },
  superseded: { word: 'superseded', tone: 'idle', shape: 'ring' },
  'timed-out': { word: 'timed out', tone: 'busy', shape: 'clock' },
};

/** How a deployment ended; one without an outcome is current or was never judged. */
export function outcomeLook({ outcome }: HistoryRecord, isCurrent: boolean): OutcomeLook {
  if (outcome !== null) {
    return OUTCOMES[outcome.state] ?? { word: asText(outcome.state, 40), tone: 'busy', shape: 'question' };
  }
  return isCurrent
    ? { word: 'current', tone: 'busy', shape: 'arrow' }
    : { word: 'not judged', tone: 'idle', shape: 'question' };
}
