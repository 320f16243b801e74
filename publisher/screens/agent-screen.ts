import type { AgentView } from '../../fleet/fleet-view.ts';
import { isPublished, type SharedState } from '../../fleet/shared-state.ts';
import { visible } from '../../runtime/safe-text.ts';
import { type Deployment, deploymentName } from '../../schemas/deployment.ts';
import type { Presence, Report } from '../../schemas/report.ts';
import { formatInstant } from '../../schemas/text/instant.ts';
import { type AgentProgress, presentProgress } from '../verdict.ts';
import { outputLines, phaseAge } from './agent-table.ts';
import type { Screen, Tone } from './columns.ts';
import { backWords, nextWords } from './next-commands.ts';
import { unacknowledgedWords } from './service-lines.ts';
import { age, overrideWords, phaseWords, short, standingWords, suspensionWords } from './words.ts';

/** The content of config. */
export interface PresentTarget {
  readonly targetVersion: string;
  /** Null if it cannot be read. */
  readonly commitId: string | null;
  /** The number of the deployment; null while it has no record. */
  readonly deployment: number | null;
}

/** Null if nothing was published yet. */
export function presentTargetOf(state: SharedState): PresentTarget | null {
  if (!isPublished(state.config)) return null;
  return {
    targetVersion: state.config.targetVersion,
    commitId: state.config.target?.commitId ?? null,
    deployment: state.current?.number ?? null,
  };
}

/**
 * `gitfleet status AGENT`: everything that is known about one agent.
 * @param wayBack where `gitfleet rollback` would go; null: nowhere, or unknown.
 */
export function agentLines(
  view: AgentView,
  present: PresentTarget | null,
  screen: Screen,
  wayBack: Deployment | null = null,
): string[] {
  const targetVersion = present?.targetVersion ?? null;
  const standing = presentProgress(view, targetVersion ?? '');
  const waits = targetVersion === null && standing === 'silent' && view.presence?.problem === null;
  const words = waits ? 'online, waiting for a first target' : standingWords({ agentId: view.agentId, standing, view });
  return [
    `${visible(view.agentId, 100)}: ${screen.paint(TONE[standing], words)}`,
    ...(view.presence ? presenceLines(view.presence, view.onlineSince ?? screen.now, screen.now) : []),
    ...(view.report ? reportLines(view, view.report, present, screen) : ['  it never reported']),
    waits ? 'next: gitfleet publish' : nextLine(view, standing, wayBack),
  ];
}

const TONE: Record<AgentProgress, Tone> = {
  active: 'good',
  overridden: 'busy',
  suspended: 'busy',
  failed: 'bad',
  working: 'busy',
  silent: 'busy',
  offline: 'faint',
};

function presenceLines(presence: Presence, since: number, now: number): string[] {
  const labels = Object.entries(presence.labels).map(([key, value]) => `${visible(key, 70)}=${visible(value, 70)}`);
  return fields([
    ['online', `for ${age(now - since)}, since ${formatInstant(since)}`],
    ['host', `${visible(presence.host, 200)}, process ${presence.pid}`],
    ['version', visible(presence.agentVersion, 40)],
    ['labels', labels.join(', ')],
    ['requires', requiredWords(presence)],
    ['problem', presence.problem === null ? '' : visible(presence.problem, 500)],
  ]);
}

function requiredWords({ audience, reachableFrom, signedCommits }: Presence): string {
  const refs = [...new Set(reachableFrom?.flatMap((rule) => rule.refs))].map((ref) => visible(ref, 250));
  return [
    ...(audience === null ? [] : [`a signature for ${visible(audience, 100)}`]),
    ...(refs.length === 0 ? [] : [`a commit on ${refs.join(', ')}`]),
    ...(signedCommits ? ['a signed commit'] : []),
  ].join('; ');
}

function reportLines(view: AgentView, report: Report, present: PresentTarget | null, { now }: Screen): string[] {
  const { error, override, suspended, drift } = report;
  const at = view.reportedAt === null ? '' : `${age(now - view.reportedAt)} ago, ${formatInstant(view.reportedAt)}`;
  const tries = report.attempts === 0 ? '' : `, ${report.attempts} ${report.attempts === 1 ? 'try' : 'tries'}`;
  return [
    ...fields([
      ['shows', report.activeCommit === null ? 'nothing' : visible(report.activeCommit, 64)],
      ['target', visible(present?.commitId ?? '', 64)],
      ['path', report.relativePath === null ? '' : visible(report.relativePath, 255)],
      ['report', `${at}, about ${aboutWords(report, present)}`],
      [
        'phase',
        view.presence ? `${phaseWords(view)}, for ${phaseAge(view, now)}${tries}` : `${phaseWords(view)} then${tries}`,
      ],
      ['signer', report.signer === null ? '' : visible(report.signer, 200)],
      ['objects', report.objects === null ? '' : objectsWords(report.objects)],
      ['waits for', report.waitingFor === null ? '' : visible(report.waitingFor, 500)],
      ...report.unacknowledged.map((drain): [string, string] => ['drain', unacknowledgedWords(drain)]),
      ['override', override === null ? '' : `${overrideWords(view)} (${formatInstant(override.at)})`],
      ['suspended', suspended === null ? '' : `${suspensionWords(view)} (${formatInstant(suspended.at)})`],
      ['error', error === null ? '' : `${visible(error.code, 40)}: ${visible(error.reason, 1_000)}`],
      ['hint', error === null ? '' : visible(error.hint, 1_000)],
      ['', error === null ? '' : againWords(error, report.retries)],
    ]),
    ...(report.output === null ? [] : ['  last output', ...outputLines(report.output, 40)]),
    ...(drift.length === 0 ? [] : ["  drift: not the commit's", ...drift.map((file) => `    ${visible(file, 300)}`)]),
  ];
}

const objectsWords = ({ from, passedOver }: NonNullable<Report['objects']>): string =>
  passedOver === null
    ? `from the ${from}`
    : `from the ${from}: the bundle was passed over (${visible(passedOver, 40)})`;

/** Which target the report is about. An old report's target is past; the one shown above is the fleet's. */
function aboutWords({ targetVersion, deployment, desiredCommit }: Report, present: PresentTarget | null): string {
  if (targetVersion === null) return 'no target';
  const isPresent = targetVersion === present?.targetVersion;
  const number = deployment ?? (isPresent ? present.deployment : null);
  const name = number === null ? [] : [deploymentName(number)];
  if (isPresent) return `the present target${name.length === 0 ? '' : ` (${name})`}`;
  const which = [...name, ...(desiredCommit === null ? [] : [short(desiredCommit)])].join(' ');
  return `an older target${which === '' ? '' : ` (${which})`}`;
}

/** A problem that a person must fix outside the target, such as a key, is still retried. */
const againWords = ({ next }: NonNullable<Report['error']>, retries: boolean): string =>
  retries && (next === 'stall' || next === 'bug')
    ? 'the agent tries again each minute; fix the cause, or publish another commit'
    : NEXT_WORDS[next];

const NEXT_WORDS: Record<NonNullable<Report['error']>['next'], string> = {
  retry: 'the agent retries automatically',
  wait: 'the agent continues automatically when that changes',
  stall: 'a person must act: follow the hint, or publish another commit',
  bug: 'a defect of gitfleet: please report it with the log of this agent',
};

const fields = (all: readonly [string, string][]): string[] =>
  all.filter(([, value]) => value !== '').map(([name, value]) => `  ${name.padEnd(10)} ${value}`);

function nextLine(
  { agentId, presence, report }: AgentView,
  standing: AgentProgress,
  wayBack: Deployment | null,
): string {
  const id = visible(agentId, 100);
  switch (standing) {
    case 'offline':
      return `next: on the server: gitfleet agent status, and its log; gone for good: gitfleet forget ${id}`;
    case 'failed':
      return nextWords([
        ...['follow the hint', 'on the server: gitfleet agent status, and its log'],
        ...(wayBack ? [backWords(wayBack)] : []),
      ]);
    case 'overridden':
    case 'suspended':
      return 'next: on the server, gitfleet agent resume (follow the fleet again)';
    case 'silent':
      return presence?.problem?.includes('NO_AUTH')
        ? `next: where its state directory is a new one: gitfleet forget ${id}`
        : 'next: on the server: gitfleet agent status, and its log';
    case 'working':
      return report?.error
        ? 'next: follow the hint; the agent retries automatically'
        : 'nothing to do: the agent is working on it';
    case 'active':
      return 'settled';
  }
}
