import type { VNode } from 'preact';
import type { ActRecord, HistoryRecord } from '../../api/parts.ts';
import { compareLink } from '../model/forge-links.ts';
import { historyRows } from '../model/history-rows.ts';
import type { PagePicture } from '../model/picture.ts';
import { asText, countText, deploymentLabel, namesText } from '../model/texts.ts';
import { html } from './html.ts';
import { icon } from './icons.ts';
import { commit, foreign, outcomeLook, since } from './parts.ts';

/** What was published, how it ended, and what people did in between: the newest first. */

export function historyView(picture: PagePicture, now: number): VNode {
  const rows = historyRows(picture);
  if (rows.length === 0)
    return html`<p class="card">Nothing was published yet. What to type: <code>gitfleet publish</code></p>`;
  return html`<section class="card" aria-label="Deployments and acts, newest first">
    <ol class="rows" role="list">
      ${rows.map((row) => (row.deployment ? deploymentRow(row.deployment, picture, now) : actRow(row.act, now)))}
    </ol>
  </section>`;
}

function deploymentRow(record: HistoryRecord, { history, deployment, target, links }: PagePicture, now: number): VNode {
  const { number, reason, by, at, ref, via, returnsTo, outcome } = record;
  const isCurrent = number === deployment?.number && target !== null;
  const { word, tone, shape } = outcomeLook(record, isCurrent);
  const before = history.find((each) => each.number === record.previous)?.target;
  const { url, commitId } = record.target;
  const changes = before && before.url === url ? compareLink(url, before.commitId, commitId, links) : null;
  return html`<li key=${deploymentLabel(number)} aria-current=${isCurrent ? 'true' : undefined}>
    ${icon(shape, tone)}
    <div class="title">
      <span>${deploymentLabel(number)}</span>
      ${commit(commitId, url, { links })}
      ${foreign(reason === '' ? 'no reason given' : reason, 200)}
    </div>
    <p class="what">
      <span class=${`state ${tone}`}>${word}</span>${outcome && `, ${outcome.reached} of ${countText(outcome.expected, 'server')}`}
      ${isCurrent && outcome ? ', current' : ''} · ${foreign(by, 100)}, ${since(at, now)}
      ${returnsTo !== null && ` · back to ${deploymentLabel(returnsTo)}`}
      ${via !== 'publish' && returnsTo === null && ` · by ${via === 'hook' ? 'a push' : via}`}
      ${ref !== null && html` · ${foreign(ref.replace('refs/heads/', ''), 100)}`}
      ${changes !== null && html` · <a href=${changes} rel="noopener noreferrer" aria-label=${`changes of ${deploymentLabel(number)}`}>changes</a>`}
    </p>
    ${outcome?.reason && html`<p class="what">${foreign(outcome.reason)}</p>`}
    ${
      outcome &&
      outcome.missing.length > 0 &&
      html`<p class="what">missing: ${namesText(
        outcome.missing.map(({ agentId, code }) => `${agentId} (${code})`),
        4,
      )}</p>`
    }
  </li>`;
}

const ACTS: Readonly<Record<ActRecord['kind'], string>> = {
  hold: 'put publishing on hold',
  unhold: 'ended the hold',
  quarantine: 'put a commit in quarantine',
  unquarantine: 'lifted a quarantine',
  'policy-set': 'set the policy',
  'policy-unset': 'removed the policy',
  forget: 'removed what an agent left behind',
  enrol: 'enrolled an agent',
  unenrol: 'removed an agent from enrolment',
  'enrolment-open': 'opened enrolment',
  'enrolment-close': 'closed enrolment',
  other: 'did something that only a newer version knows',
};

function actRow({ number, kind, by, reason, at, what }: ActRecord, now: number): VNode {
  return html`<li key=${`a-${number}`}>
    ${icon('hand', 'idle')}
    <div class="title"><span>${`a-${number}`}</span><span>${foreign(by, 100)} ${ACTS[kind]}</span></div>
    <p class="what">${since(at, now)}${what !== '' && html` · ${foreign(whatText(kind, what), 200)}`}${reason !== '' && html` · ${foreign(asText(reason, 300))}`}</p>
  </li>`;
}

/** A policy is kept as JSON, and read as `canary 1, soak 1m`. */
function whatText(kind: ActRecord['kind'], what: string): string {
  if (kind !== 'policy-set') return what;
  try {
    const policy = Object.entries(JSON.parse(what) as Record<string, unknown>);
    return policy.map(([name, value]) => `${name} ${value}`).join(', ');
  } catch {
    return what;
  }
}
