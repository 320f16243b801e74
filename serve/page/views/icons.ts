import type { VNode } from 'preact';
import type { StateShape } from '../model/states.ts';
import { html } from './html.ts';

/**
 * The shapes of the page, drawn in the colour of their text. Each has an outline of its own, so that they differ
 * without colours and in forced ones. Hidden from those who hear the page: a word always stands beside them.
 */

export type IconName = StateShape | 'fleet' | 'back' | 'square' | 'hand' | 'spark';

interface Drawing {
  readonly fill?: string;
  readonly stroke?: string;
}

const CIRCLE = 'M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z';

const DRAWINGS: Readonly<Record<IconName, Drawing>> = {
  check: { fill: 'M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1zm3.5 4.1-4.4 4.5-2.1-2L3.9 8.8l3.3 3.1 5.5-5.6z' },
  cross: {
    fill: 'M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1zM5 6.1 6.9 8 5 9.9 6.1 11 8 9.1 9.9 11 11 9.9 9.1 8 11 6.1 9.9 5 8 6.9 6.1 5z',
  },
  alert: { fill: 'M8 .9 15.6 14.6H.4zM7.2 5.8v4.4h1.6V5.8zm0 5.6V13h1.6v-1.6z' },
  question: { stroke: 'M2 2h12v12H2zM6 6.2c0-2.6 4-2.6 4 0 0 1.7-2 1.7-2 3.2M8 11v1.2' },
  clock: { stroke: `${CIRCLE}M8 4.5V8l2.6 1.8` },
  arrow: { stroke: `${CIRCLE}M8 4.6v6.2M5.4 8.4 8 11l2.6-2.6` },
  pin: { fill: 'M8 .6 15.4 8 8 15.4.6 8zM6 6v4h4V6z' },
  pause: { stroke: `${CIRCLE}M6.3 5.5v5M9.7 5.5v5` },
  ring: { stroke: `${CIRCLE}M3.8 12.2l8.4-8.4` },
  fleet: { fill: 'M8 .8 14.5 4.4v7.2L8 15.2 1.5 11.6V4.4zm3.1 4.6-3.9 4-2-1.9-1.1 1.1 3.1 3 5-5.1z' },
  back: { stroke: 'M6 3 2.5 6.5 6 10M3 6.5h6.5a3.6 3.6 0 0 1 0 7.2H6' },
  square: { stroke: 'M2.5 2.5h11v11h-11zM5.5 8h5' },
  hand: { fill: 'M4.6 1h6.8L15 4.6v6.8L11.4 15H4.6L1 11.4V4.6zM4 7v2h8V7z' },
  spark: { stroke: 'M8 1.5v13M1.5 8h13M3.5 3.5l9 9M12.5 3.5l-9 9' },
};

export function icon(name: IconName, tone = ''): VNode {
  const { fill, stroke } = DRAWINGS[name];
  return html`<svg class=${`icon ${tone}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    ${fill && html`<path d=${fill} fill="currentColor" fill-rule="evenodd" />`}
    ${stroke && html`<path d=${stroke} fill="none" stroke="currentColor" stroke-width="1.5" />`}
  </svg>`;
}
