import { h, type VNode } from 'preact';
import type { Age } from '../model/freshness.ts';
import { nextSteps } from '../model/next-steps.ts';
import type { PageActions, PageState } from '../model/page-state.ts';
import type { PagePicture } from '../model/picture.ts';
import { waitsText } from '../model/rollout-rows.ts';
import { addressOf, VIEW_TITLES, VIEWS, type ViewName } from '../model/routes.ts';
import { countStates } from '../model/states.ts';
import { headlineOf } from '../model/summary.ts';
import { ageText, asText, deploymentLabel, timeText } from '../model/texts.ts';
import { historyView } from './history-view.ts';
import { html } from './html.ts';
import { icon } from './icons.ts';
import { brakesView, doctorView, servicesView } from './other-views.ts';
import { commands, commit, foreign, shares, since } from './parts.ts';
import { rolloutTitle, rolloutView } from './rollout-view.ts';
import { serverLead, serverView } from './server-view.ts';
import { Wall } from './servers-view.ts';
import { tokenForm } from './token-form.ts';

/** The whole page for one state of it: the head with the age of the data, the navigation, and one view. */

export function appView(state: PageState, actions: PageActions): VNode {
  const { picture, age, news } = state;
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="head">
      <div class="bar">
        <p class="brand">${icon('fleet')}<span>gitfleet</span>${picture && foreign(picture.app, 200)}</p>
        ${age && ageLine(age)}
      </div>
      ${picture && navigation(state.route.view, picture)}
    </header>
    <div role="alert">${age?.stale && staleBanner(age)}</div>
    <p class="hidden" aria-live="polite" role="status">${news.join('. ')}</p>
    <main id="main" tabindex="-1">${content(state, actions)}</main>
    ${picture && html`<footer class="foot">gitfleet ${asText(picture.version, 40)}. This page changes nothing: copy a command to act.</footer>`}
  `;
}

/** The address belongs to the views, so the link moves the focus alone. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function ageLine({ asOf, now, stale }: Age): VNode {
  return html`<p class="age">
    ${stale ? icon('alert', 'bad') : icon('check', 'good')}
    <strong class=${stale ? 'bad' : ''}>${stale ? 'Stale' : 'Live'}</strong>
    <span>as of <time dateTime=${new Date(asOf).toISOString()}>${timeText(asOf).slice(11)}</time>, ${ageText(now - asOf)} ago</span>
  </p>`;
}

const staleBanner = ({ stale, now }: Age): VNode | null =>
  stale &&
  html`<div class="stale"><p>
    ${icon('alert')}
    <span><strong>Stale for ${ageText(now - stale.since)}:</strong> ${foreign(stale.words, 300)}. What is below is the last known state; servers keep what they show.</span>
  </p></div>`;

function navigation(current: ViewName, picture: PagePicture): VNode {
  const marks: Partial<Record<ViewName, number>> = {
    servers: [...picture.agents.values()].filter(({ standing }) => standing === 'failed').length,
    brakes: picture.hold === null ? 0 : 1,
    doctor: picture.findings.length,
  };
  return html`<nav class="nav" aria-label="Views">
    <ul role="list">
      ${VIEWS.map(
        (view) => html`<li key=${view}>
          <a href=${addressOf(view)} aria-current=${view === current ? 'page' : undefined}>
            ${NAV_WORDS[view]}${marks[view] ? html`<span class="mark">${marks[view]}<span class="hidden"> ${MARK_WORDS[view]}</span></span>` : ''}
          </a>
        </li>`,
      )}
    </ul>
  </nav>`;
}

const NAV_WORDS: Readonly<Record<ViewName, string>> = {
  servers: 'Servers',
  rollout: 'Rollout',
  history: 'History',
  services: 'Services',
  brakes: 'Brakes',
  doctor: 'Doctor',
};
const MARK_WORDS: Readonly<Partial<Record<ViewName, string>>> = {
  servers: 'failed',
  brakes: 'hold',
  doctor: 'findings',
};

function content(state: PageState, actions: PageActions): VNode {
  const { picture, age, route, token, trouble } = state;
  if (token !== 'none') return tokenForm(token === 'refused', actions.giveToken);
  if (picture === null || age === null) {
    return html`<p class="card" role="status">${trouble === null ? 'Reading the fleet.' : `Nothing to show yet: ${asText(trouble)}. Trying again.`}</p>`;
  }
  // Ages count up to what was last confirmed, and not beyond.
  const now = age.stale ? age.asOf : age.now;
  if (route.server !== null) {
    const details = state.details?.agent.agentId === route.server ? state.details : null;
    const props = { picture, agentId: route.server, details, now, copy: actions.copy };
    return html`${serverLead(picture, route.server, now)}${serverView(props)}`;
  }
  switch (route.view) {
    case 'servers':
      return html`${overview(picture, now, actions)}${h(Wall, { agents: picture.agents, now, last: state.last })}`;
    case 'rollout':
      return html`${titled(rolloutTitle(picture, now))}${steps(picture, actions)}${rolloutView(picture, now)}`;
    case 'history':
      return html`${titled(VIEW_TITLES.history)}${historyView(picture, now)}`;
    case 'services':
      return html`${titled(VIEW_TITLES.services)}${servicesView(picture, actions.copy)}`;
    case 'brakes':
      return html`${titled(VIEW_TITLES.brakes)}${brakesView(picture, now, actions.copy)}`;
    case 'doctor':
      return html`${titled(VIEW_TITLES.doctor)}${doctorView(picture, actions.copy)}`;
  }
}

const titled = (title: string): VNode => html`<div class="lead"><h1 tabindex="-1"><span>${title}</span></h1></div>`;

const TONE_ICONS = { good: 'check', bad: 'cross', busy: 'arrow', idle: 'ring' } as const;

/** What the wall is about: the target, who set it, how far it is, and what to do. */
function overview(picture: PagePicture, now: number, actions: PageActions): VNode {
  const { words, tone } = headlineOf(picture);
  const { target, deployment, refused, hold, rollout } = picture;
  return html`<div class="lead">
      <h1 tabindex="-1">${icon(TONE_ICONS[tone], tone)}<span>${words}</span></h1>
      <p class="kicker">
        ${deployment === null ? target !== null && 'set by another ZooKeeper client' : html`${deploymentLabel(deployment.number)} · ${foreign(deployment.reason === '' ? 'no reason given' : deployment.reason, 200)} · ${foreign(deployment.by, 100)}, ${since(deployment.at, now)}`}
        ${target !== null && html` · ${commit(target.commitId, target.url, picture)} at ${foreign(target.relativePath, 255)}`}
      </p>
      ${refused !== null && html`<p>${foreign(refused.reason)}</p>`}
      ${rollout !== null && rollout.state !== 'proven' && html`<p>${waitsText(picture, now)} · <a href=${addressOf('rollout')}>rollout</a></p>`}
      ${hold !== null && html`<p class="state busy">${icon('hand')}<a href=${addressOf('brakes')}>publishing is on hold</a></p>`}
    </div>
    ${picture.agents.size > 1 && shares(countStates(picture.agents.values()))}
    ${steps(picture, actions)}`;
}

function steps(picture: PagePicture, actions: PageActions): VNode | null {
  const list = commands(nextSteps(picture), actions.copy);
  return list && html`<section class="card" aria-labelledby="next"><h2 id="next">What to type</h2>${list}</section>`;
}
