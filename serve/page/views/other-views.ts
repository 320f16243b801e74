import type { VNode } from 'preact';
import type { Finding, FlagShape, ServiceShape } from '../../api/parts.ts';
import { typedCommand } from '../model/next-steps.ts';
import type { PagePicture } from '../model/picture.ts';
import { asText, countText, timeText } from '../model/texts.ts';
import { html } from './html.ts';
import { icon } from './icons.ts';
import { commands, commit, facts, foreign, since } from './parts.ts';

/** The views that are one list each: services and flags, hold and quarantine, and what doctor would say. */

type Copy = (command: string) => void;

export const servicesView = ({ services, flags }: PagePicture, copy: Copy): VNode => html`<div class="columns">
  <section class="card" aria-labelledby="services">
    <h2 id="services">Services</h2>
    ${services.length === 0 ? html`<p class="quiet">The servers of this app register no service.</p>` : serviceTable(services)}
    ${commands([{ command: 'gitfleet service list', words: 'shows each instance' }], copy)}
  </section>
  <section class="card" aria-labelledby="flags">
    <h2 id="flags">Flags</h2>
    ${flags.length === 0 ? html`<p class="quiet">This app has no flags.</p>` : flagTable(flags)}
    ${commands([{ command: 'gitfleet flag history', words: 'shows who changed what, and why' }], copy)}
  </section>
</div>`;

const serviceTable = (services: readonly ServiceShape[]): VNode => html`<table>
  <thead><tr><th scope="col">Service</th><th scope="col">Instances</th><th scope="col">Floor</th></tr></thead>
  <tbody>
    ${services.map(({ service, instances, least, out }) => {
      const isBelow = instances === 0 || (least !== null && instances < least);
      const words = `${instances} in the list${out > 0 ? `, ${out} out of it` : ''}`;
      return html`<tr key=${service}>
        <th scope="row">${foreign(service, 200)}</th>
        <td><span class=${`state ${isBelow ? 'bad' : 'good'}`}>${icon(isBelow ? 'alert' : 'check')}${words}${isBelow ? ', too few' : ''}</span></td>
        <td>${least ?? 'none'}</td>
      </tr>`;
    })}
  </tbody>
</table>`;

const flagTable = (flags: readonly FlagShape[]): VNode => html`<table>
  <thead><tr><th scope="col">Flag</th><th scope="col">Setting</th></tr></thead>
  <tbody>
    ${flags.map(
      (flag) => html`<tr key=${flag.name}>
        <th scope="row">${foreign(flag.name, 100)}</th>
        <td>${settingOf(flag)}</td>
      </tr>`,
    )}
  </tbody>
</table>`;

function settingOf({ state, defaultVariant, targeting, variants }: FlagShape): VNode {
  if (state === 'DISABLED')
    return html`<span class="state idle">${icon('pause')}disabled: each program's own default</span>`;
  if (targeting)
    return html`<span class="state busy">${icon('pin')}<span>by a rule, between ${foreign(variants.join(', '), 200)}</span></span>`;
  return html`<span class="state">${icon(defaultVariant === 'off' ? 'ring' : 'check')}${foreign(defaultVariant ?? "each program's own default", 100)}</span>`;
}

export const brakesView = (picture: PagePicture, now: number, copy: Copy): VNode => html`<div class="columns">
  ${holdCard(picture, now, copy)}
  <section class="card" aria-labelledby="quarantine">
    <h2 id="quarantine">Quarantine</h2>
    ${
      picture.quarantine.length === 0
        ? html`<p class="quiet">No commit is in quarantine.</p>`
        : html`<ul class="rows" role="list">${picture.quarantine.map((entry) => quarantined(entry, picture, now, copy))}</ul>`
    }
  </section>
</div>`;

function holdCard({ hold }: PagePicture, now: number, copy: Copy): VNode {
  return html`<section class=${`card ${hold === null ? '' : 'busy'}`} aria-labelledby="hold">
    <h2 id="hold" class="state">${icon(hold === null ? 'check' : 'hand', hold === null ? 'good' : 'busy')}${hold === null ? 'Publishing is allowed' : 'Publishing is on hold'}</h2>
    ${
      hold === null
        ? commands([{ command: 'gitfleet hold', words: 'stops publishing; give a reason with -m' }], copy)
        : html`${facts([
            { name: 'By', value: html`${foreign(hold.by, 100)}, ${since(hold.at, now)}` },
            { name: 'Reason', value: hold.reason === '' ? 'none given' : foreign(hold.reason) },
            { name: 'Ends', value: hold.end === null ? 'when a person ends it' : timeText(hold.end) },
          ])}${commands([{ command: 'gitfleet unhold', words: 'ends it' }], copy)}`
    }
  </section>`;
}

function quarantined(entry: PagePicture['quarantine'][number], picture: PagePicture, now: number, copy: Copy): VNode {
  const { commitId, by, reason, at } = entry;
  const { target } = picture;
  const command = typedCommand('unquarantine', commitId.slice(0, 12));
  return html`<li key=${commitId}>
    ${icon('cross', 'bad')}
    <div class="title">
      ${commit(commitId, target?.url ?? null, picture)}
      <span class="quiet">${foreign(by, 100)}, ${since(at, now)}</span>
      ${commitId === target?.commitId && html`<span class="state bad">${icon('alert')}it is the current target</span>`}
    </div>
    <p class="what">${foreign(reason === '' ? 'no reason given' : reason)}</p>
    ${command !== null && html`<div class="what">${commands([{ command, words: '' }], copy)}</div>`}
  </li>`;
}

export function doctorView(picture: PagePicture, copy: Copy): VNode {
  const { findings } = picture;
  return html`<section class="card" aria-labelledby="findings">
    <h2 id="findings">${findings.length === 0 ? 'Nothing found' : countText(findings.length, 'finding')}</h2>
    ${
      findings.length === 0
        ? html`<p class="state good">${icon('check')}The shared state of this app is in order.</p>`
        : html`<ul class="rows" role="list">${findings.map(finding)}</ul>`
    }
    <p class="quiet">These are checks of the shared state. A server is checked on that server.</p>
    ${commands([{ command: 'gitfleet doctor', words: 'checks the machine that it runs on' }], copy)}
  </section>`;
}

function finding({ check, verdict, says, hint }: Finding): VNode {
  const isProblem = verdict === 'fail';
  return html`<li key=${`${check} ${says}`}>
    ${icon(isProblem ? 'cross' : 'alert', isProblem ? 'bad' : 'busy')}
    <div class="title"><span class=${isProblem ? 'bad' : 'busy'}>${verdict}</span><span>${asText(check, 60)}</span>${foreign(says)}</div>
    ${hint !== '' && html`<p class="what">${asText(hint)}</p>`}
  </li>`;
}
