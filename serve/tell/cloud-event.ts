import type { ToldEvent, What } from './event.ts';
import type { Message } from './note.ts';
import { linesOf, titleOf } from './text.ts';

/** What a receiver gets: CloudEvents 1.0 in structured JSON, with CDEvents 0.4 in `data`. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: object;
}

/** The versions of the events of CDEvents 0.4.1. What that vocabulary has no event for is a custom event of gitfleet. */
const TYPES: Readonly<Record<What, string>> = {
  begun: 'dev.cdevents.taskrun.started.0.2.0',
  proven: 'dev.cdevents.service.deployed.0.2.0',
  failed: 'dev.cdevents.taskrun.finished.0.2.0',
  'rolled-back': 'dev.cdevents.service.rolledback.0.2.0',
  aborted: 'dev.cdevents.taskrun.finished.0.2.0',
  superseded: 'dev.cdevents.taskrun.finished.0.2.0',
  'timed-out': 'dev.cdevents.taskrun.finished.0.2.0',
  halted: 'dev.cdevents.incident.detected.0.2.0',
  'hold-set': 'dev.cdeventsx.gitfleet-hold.set.0.1.0',
  'hold-lifted': 'dev.cdeventsx.gitfleet-hold.lifted.0.1.0',
  'agents-silent': 'dev.cdevents.incident.detected.0.2.0',
};

/** Agents in one event: a webhook's receiver may have a bound of its own. */
const MOST_AGENTS = 500;

/**
 * Pure: the same message gives the same event, so each try sends the same bytes.
 * @param environment what receivers call the fleet, such as production. @param page the address of the page; null: none.
 */
export function cloudEventOf({ id, event }: Message, environment: string, page: string | null): CloudEvent {
  const type = TYPES[event.what];
  const source = `/gitfleet${event.app}`;
  const time = new Date(event.at).toISOString();
  const subject = subjectOf(event, environment, page);
  const context = { version: '0.4.1', id, source, type, timestamp: time };
  const data = {
    context,
    subject: { ...subject, source },
    customDataContentType: 'application/json',
    customData: customDataOf(event, page),
  };
  return {
    specversion: '1.0',
    id,
    source,
    type,
    subject: subject.id,
    time,
    datacontenttype: 'application/json',
    data,
  };
}

/** The event with all that gitfleet knows of it, for programs. */
export function customDataOf(event: ToldEvent, page: string | null) {
  const { key, what, app, deployment, by, reason, agents, reached, expected, at } = event;
  return {
    key,
    what,
    at: new Date(at).toISOString(),
    app,
    title: titleOf(event),
    lines: linesOf(event),
    deployment,
    by,
    reason,
    agents: agents.slice(0, MOST_AGENTS),
    agentsLeftOut: Math.max(0, agents.length - MOST_AGENTS),
    reached,
    expected,
    page,
  };
}

const OUTCOMES: Partial<Record<What, string>> = { failed: 'failure', aborted: 'cancel', superseded: 'cancel' };

function subjectOf(event: ToldEvent, environment: string, page: string | null) {
  const { what, app, deployment, agents } = event;
  const kind = TYPES[what].split('.')[2];
  const url = page === null ? {} : { url: page };
  const artifact = deployment === null ? {} : { artifactId: purlOf(deployment.url, deployment.commitId) };
  const name = deployment === null ? app : `d-${deployment.number}`;
  if (kind === 'taskrun') {
    const ended = what === 'begun' ? {} : { outcome: OUTCOMES[what] ?? 'error' };
    return { id: `${app}/${name}`, type: 'taskRun', content: { taskName: `deploy ${app}`, ...url, ...ended } };
  }
  if (kind === 'service')
    return { id: app, type: 'service', content: { environment: { id: environment }, ...artifact } };
  if (kind === 'incident') {
    const description = [titleOf(event), ...linesOf(event)].join(' ');
    const content = { description, environment: { id: environment }, service: { id: app }, ...artifact };
    return { id: `${app}/${deployment === null ? (agents[0]?.agentId ?? '') : name}`, type: 'incident', content };
  }
  return { id: app, type: 'gitfleet-hold', content: { reason: event.reason, by: event.by } };
}

/** The package url of a commit, as CDEvents names artifacts. */
export function purlOf(url: string, commitId: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  const name =
    path
      .replace(/\/$|\.git\/?$/g, '')
      .split('/')
      .at(-1) ?? '';
  const safe = name === '' ? 'repository' : encodeURIComponent(name);
  return `pkg:generic/${safe}@${commitId}?vcs_url=git%2B${encodeURIComponent(`${url}@${commitId}`)}`;
}
