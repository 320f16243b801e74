import type { VNode } from 'preact';
import type { AgentShape } from '../../api/answers.ts';
import type { AgentRow } from '../../api/shapes.ts';
import { serverSteps } from '../model/next-steps.ts';
import type { PagePicture } from '../model/picture.ts';
import { addressOf } from '../model/routes.ts';
import { forText, stateWord, whyText } from '../model/states.ts';
import { asLines, asText, countText, deploymentLabel, timeText } from '../model/texts.ts';
import { html } from './html.ts';
import { icon } from './icons.ts';
import { commands, commit, facts, foreign, since, stateLabel } from './parts.ts';

/** Everything that is known about one server: its state and why, what to do, the last output, and where it runs. */

export interface ServerProps {
  readonly picture: PagePicture;
  readonly agentId: string;
  /** The full answer for this server; null: it is being asked for. */
  readonly details: AgentShape | null;
  readonly now: number;
  readonly copy: (command: string) => void;
}

export function serverView({ picture, agentId, details, now, copy }: ServerProps): VNode {
  const agent = picture.agents.get(agentId);
  if (!agent) {
    return html`<p class="card">Nothing is known of ${foreign(agentId, 100)}. It may have been forgotten.</p>`;
  }
  return html`
    ${trouble(agent, details)}
    <div class="columns">
      <section class="card" aria-labelledby="report">
        <h2 id="report">Report</h2>
        ${reportFacts(agent, picture, details, now)}
      </section>
      <div class="stack">
        <section class="card" aria-labelledby="place">
          <h2 id="place">Where it runs</h2>
          ${placeFacts(agent, details, now)}
        </section>
        ${missed(details)}
        <section class="card" aria-labelledby="type">
          <h2 id="type">What to type</h2>
          ${commands(serverSteps(agentId, agent.standing), copy)}
        </section>
      </div>
    </div>
  `;
}

/** Code, reason, hint and the last output: what a person needs at three in the morning. */
function trouble(agent: AgentRow, details: AgentShape | null): VNode | null {
  const { error, standing, retries } = agent;
  const output = details?.report?.output ?? null;
  if (error === null && output === null) return null;
  const tone = standing === 'failed' || error?.next === 'retry' ? 'bad' : 'busy';
  return html`<section class=${`card ${error === null ? '' : tone}`} aria-labelledby="trouble">
    <h2 id="trouble" class=${`state ${tone}`}>
      ${icon(tone === 'bad' ? 'cross' : 'alert')}${error === null ? 'Last output' : html`<code>${asText(error.code, 40)}</code>`}
    </h2>
    ${
      error !== null &&
      html`<p>${foreign(error.reason, 1_000)}</p>
        ${error.hint !== '' && html`<p><strong>Hint:</strong> ${foreign(error.hint, 1_000)}</p>`}
        <p class="quiet">${againText(error.next, retries)}</p>`
    }
    ${output !== null && html`<h3>Last output</h3><pre tabindex="0" aria-label="Last output">${asLines(output)}</pre>`}
  </section>`;
}

const NEXT: Readonly<Record<NonNullable<AgentRow['error']>['next'], string>> = {
  retry: 'The agent retries automatically.',
  wait: 'The agent continues automatically when that changes.',
  stall: 'A person must act: follow the hint, or publish another commit.',
  bug: 'A defect of gitfleet: please report it with the log of this agent.',
};

const againText = (next: NonNullable<AgentRow['error']>['next'], retries: boolean): string =>
  retries && next !== 'retry'
    ? 'The agent tries again each minute; fix the cause, or publish another commit.'
    : NEXT[next];

function reportFacts(agent: AgentRow, picture: PagePicture, details: AgentShape | null, now: number): VNode {
  const { target } = picture;
  const report = details?.report ?? null;
  const since_ = forText(agent, now);
  const url = target?.url ?? null;
  return facts([
    { name: 'Shows', value: agent.activeCommit === null ? 'nothing' : commit(agent.activeCommit, url, picture) },
    { name: 'Target', value: target === null ? 'none' : commit(target.commitId, url, picture) },
    { name: 'Path', value: report?.relativePath ? foreign(report.relativePath, 255) : null },
    { name: 'Phase', value: `${stateWord(agent)}${since_ === '' ? '' : ` for ${since_}`}` },
    { name: 'Tries', value: agent.attempts > 0 ? String(agent.attempts) : null },
    { name: 'Waits for', value: agent.waitingFor === null ? null : foreign(agent.waitingFor) },
    { name: 'Said there', value: agent.suspended || agent.override ? whyText(agent, now) : null },
    {
      name: 'Report',
      value:
        agent.reportedAt === null
          ? 'it never reported'
          : html`${since(agent.reportedAt, now)}, about ${agent.current ? 'the current target' : 'an older target'}${agent.deployment !== null && ` (${deploymentLabel(agent.deployment)})`}`,
    },
    { name: 'Signer', value: report?.signer ? foreign(report.signer, 200) : null },
    { name: 'Changed there', value: drifted(agent, report?.drift ?? []) },
  ]);
}

function drifted({ drift }: AgentRow, files: readonly string[]): VNode | string | null {
  if (drift === 0) return null;
  if (files.length === 0) return countText(drift, 'file');
  return html`<ul role="list">${files.map((file) => html`<li key=${file}>${foreign(file, 300)}</li>`)}</ul>`;
}

function placeFacts(agent: AgentRow, details: AgentShape | null, now: number): VNode {
  const labels = Object.entries(agent.labels).map(
    ([name, value]) => html`<li class="chip">${foreign(`${name}=${value}`, 150)}</li>`,
  );
  const presence = details?.presence ?? null;
  return facts([
    {
      name: 'Online',
      value:
        agent.onlineSince === null
          ? 'no'
          : html`since ${timeText(agent.onlineSince)} (${since(agent.onlineSince, now)})`,
    },
    { name: 'Host', value: agent.host === null ? null : foreign(agent.host, 200) },
    { name: 'Process', value: presence === null ? null : String(presence.pid) },
    { name: 'Version', value: agent.agentVersion === null ? null : foreign(agent.agentVersion, 40) },
    { name: 'Labels', value: labels.length === 0 ? null : html`<ul class="chips" role="list">${labels}</ul>` },
    { name: 'Requires', value: presence?.audience ? html`a signature for ${foreign(presence.audience, 100)}` : null },
    { name: 'Problem', value: agent.problem === null ? null : foreign(agent.problem) },
    { name: 'Canary', value: agent.canary ? 'yes' : null },
  ]);
}

function missed(details: AgentShape | null): VNode | null {
  if (details === null || details.missed.length === 0) return null;
  return html`<section class="card" aria-labelledby="missed">
    <h2 id="missed">Deployments that it missed</h2>
    <ul class="rows" role="list">
      ${details.missed.map(
        ({ deployment, code }) =>
          html`<li key=${deployment}>${icon('cross', 'bad')}<div class="title"><span>${deploymentLabel(deployment)}</span><code>${asText(code, 40)}</code></div></li>`,
      )}
    </ul>
  </section>`;
}

export function serverLead(picture: PagePicture, agentId: string, now: number): VNode {
  const agent = picture.agents.get(agentId);
  const since_ = agent ? forText(agent, now) : '';
  return html`<div class="lead">
    <p><a href=${addressOf('servers')}>All servers</a></p>
    <h1 tabindex="-1"><span>${foreign(agentId, 100)}</span></h1>
    ${agent && html`<p class="state">${stateLabel(agent)}${since_ !== '' && html` <span class="quiet">for ${since_}</span>`}</p>`}
  </div>`;
}
