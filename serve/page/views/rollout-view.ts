import type { VNode } from 'preact';
import type { RolloutShape } from '../../api/parts.ts';
import type { PagePicture } from '../model/picture.ts';
import { doneText, type WaveRow, waitsText, waveRows } from '../model/rollout-rows.ts';
import { ageText, asText, countText, deploymentLabel } from '../model/texts.ts';
import { html } from './html.ts';
import { type IconName, icon } from './icons.ts';
import { commit, facts, foreign, legend, serverChip, since } from './parts.ts';

/** The current rollout: what it waits for, its waves, the rules that it follows, and what people said to it. */

export function rolloutView(picture: PagePicture, now: number): VNode {
  const { rollout, policy } = picture;
  if (rollout === null) {
    return html`<section class="card">
      <h2>No rollout in waves</h2>
      <p>
        ${
          policy === null
            ? 'This app has no policy: a publish reaches all servers at once.'
            : 'The next publish follows the policy; until then there is nothing to show.'
        }
      </p>
      ${policy !== null && policyFacts(policy)}
    </section>`;
  }
  return html`<div class="columns">
    <section class="card" aria-labelledby="waves">
      <h2 id="waves">${rollout.waves ? 'Waves' : 'All at once'}</h2>
      <p class="quiet">${doneText(picture)}</p>
      ${soak(rollout, now)}
      <ol class="rows waves" role="list">${waveRows(picture).map((row) => waveRow(row))}</ol>
    </section>
    <div class="stack">
      ${failures(rollout)}
      <section class="card" aria-labelledby="rules">
        <h2 id="rules">This rollout</h2>
        ${facts([
          { name: 'Deployment', value: deploymentLabel(rollout.deployment) },
          { name: 'State', value: rollout.state },
          { name: 'Began', value: rollout.startedAt > 0 ? since(rollout.startedAt, now) : null },
          { name: 'Led by', value: rollout.leader === null ? 'no agent yet' : foreign(rollout.leader, 100) },
          {
            name: 'Goes back to',
            value:
              rollout.base === null
                ? 'nothing: no deployment is proven yet'
                : html`${deploymentLabel(rollout.base.deployment)} ${commit(rollout.base.commitId, picture.target?.url ?? null, picture)}`,
          },
          { name: 'Excused', value: rollout.excused.map((id) => asText(id, 100)).join(', ') },
          { name: 'Late', value: rollout.late.map((id) => asText(id, 100)).join(', ') },
        ])}
        ${rollout.policy !== null && html`<h2>Its policy</h2>${policyFacts(rollout.policy)}`}
      </section>
      ${said(rollout, now)}
    </div>
  </div>`;
}

const WAVE_ICONS: Readonly<Record<WaveRow['part'], { shape: IconName; tone: string; word: string }>> = {
  done: { shape: 'check', tone: 'good', word: 'done' },
  now: { shape: 'arrow', tone: 'busy', word: 'now' },
  later: { shape: 'ring', tone: 'idle', word: 'to come' },
};

/** Of a wave of hundreds, the servers that are not done say enough. */
const MAX_CHIPS = 60;

function waveRow({ title, part, size, counts, agents }: WaveRow): VNode {
  const { shape, tone, word } = WAVE_ICONS[part];
  const open = agents.filter(({ standing }) => standing !== 'active');
  const chips = agents.length <= MAX_CHIPS ? agents : open.slice(0, MAX_CHIPS);
  return html`<li key=${title} class=${part} aria-current=${part === 'now' ? 'step' : undefined}>
    ${icon(shape, tone)}
    <div class="title"><span>${title}</span><span class="quiet">${word}, ${countText(size, 'server')}</span></div>
    ${counts.length > 0 && html`<div class="what">${legend(counts)}</div>`}
    ${chips.length > 0 && html`<ul class="chips" role="list" aria-label=${`Servers of ${title}`}>${chips.map(serverChip)}</ul>`}
  </li>`;
}

function soak({ soakAt, policy, state }: RolloutShape, now: number): VNode | null {
  if (soakAt === null || policy === null || state !== 'running') return null;
  const passed = Math.max(0, now - soakAt);
  const words = `Watched for ${ageText(passed)} of ${policy.soak}`;
  return html`<p>${words}</p>`;
}

function failures({ failures: all }: RolloutShape): VNode | null {
  if (all.length === 0) return null;
  return html`<section class="card bad" aria-labelledby="failures">
    <h2 id="failures">Failed in this rollout</h2>
    <ul class="rows" role="list">
      ${all.map(
        ({ agentId, code, reason }) => html`<li key=${agentId}>
          ${icon('cross', 'bad')}
          <div class="title">${foreign(agentId, 100)}<code>${asText(code, 40)}</code></div>
          ${reason !== '' && html`<p class="what">${foreign(reason)}</p>`}
        </li>`,
      )}
    </ul>
  </section>`;
}

function said({ steered }: RolloutShape, now: number): VNode | null {
  if (steered.length === 0) return null;
  return html`<section class="card" aria-labelledby="said">
    <h2 id="said">Said by people</h2>
    <ul class="rows" role="list">
      ${steered.map(
        ({ verb, by, reason, at }) => html`<li key=${`${at} ${verb}`}>
          ${icon('hand', 'idle')}
          <div class="title">${foreign(verb, 40)}<span class="quiet">${foreign(by, 100)}, ${since(at, now)}</span></div>
          ${reason !== '' && html`<p class="what">${foreign(reason)}</p>`}
        </li>`,
      )}
    </ul>
  </section>`;
}

/** As the operator wrote it, with the words of `gitfleet policy`. */
export const policyFacts = (policy: NonNullable<PagePicture['policy']>): VNode =>
  facts(
    Object.entries(policy)
      .filter(([name]) => name !== 'must')
      .map(([name, value]) => ({ name, value: html`<code>${asText(String(value), 200)}</code>` })),
  );

export const rolloutTitle = (picture: PagePicture, now: number): string =>
  picture.rollout === null
    ? 'No rollout in waves'
    : `${deploymentLabel(picture.rollout.deployment)} · ${waitsText(picture, now)}`;
