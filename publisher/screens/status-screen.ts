import { holdWords, quarantineWords } from '../../fleet/admission.ts';
import type { AgentView } from '../../fleet/fleet-view.ts';
import { isPublished, type SharedState } from '../../fleet/shared-state.ts';
import { visible } from '../../runtime/safe-text.ts';
import { type Deployment, deploymentName } from '../../schemas/deployment.ts';
import { inForce } from '../../schemas/hold.ts';
import type { Rollout } from '../../schemas/rollout.ts';
import type { NextCommands } from '../current-rollout.ts';
import type { Stale } from '../freshness.ts';
import { shownTargets, wasSetBack } from '../shown-target.ts';
import { judgeDeployment, presentProgress, type Verdict } from '../verdict.ts';
import { agentTable, failureLines, MAX_SINGLE, tallyOf } from './agent-table.ts';
import type { Screen } from './columns.ts';
import { line } from './columns.ts';
import { cutoverLines } from './cutover-words.ts';
import { notEnrolledLines } from './enrolment-lines.ts';
import { nextCommands, nextWords, setBackWords } from './next-commands.ts';
import { type ServiceShown, serviceLines, unacknowledgedLines } from './service-lines.ts';
import { signatureWords } from './signature-lines.ts';
import { asSeen, staleLines } from './stale-lines.ts';
import { abortWords, waveWords } from './wave-words.ts';
import { age, count, names, noAgentNext, noAgentWords, reachedWords, short } from './words.ts';

/** What `gitfleet status` shows: the state at one moment. */
export interface StatusPicture extends NextCommands {
  readonly app: string;
  readonly state: SharedState;
  readonly fleet: readonly AgentView[];
  /** Names that look like agents but are not enrolled, while enrolment is closed. */
  readonly notEnrolled: readonly string[];
  /** The rollout in waves of the target in config; null: all agents go at once, or no coordinator leads yet. */
  readonly rollout: Rollout | null;
  /**
   * `ignored`: the number of nodes beside the agents that are none. `unread`: the number of agents that were too many
   * to read.
   */
  readonly ignored?: number;
  readonly unread?: number;
  /** Who leads rollouts, where there is one. */
  readonly coordinator?: string | null;
  /** Why the ZooKeeper servers are not one ensemble. */
  readonly ensembleTrouble?: string | null;
  /** The services that its agents register. */
  readonly services?: readonly ServiceShown[];
  /** Set if `-l` selected `fleet`. */
  readonly selection?: Selection | null;
  /** Set if ZooKeeper no longer answers; the picture is the last known one. */
  readonly stale: Stale | null;
}

/** The selector for the agents, and how many it left out. */
export interface Selection {
  readonly selector: string;
  readonly online: number;
  readonly offline: number;
}

/**
 * `gitfleet status`: the target, what blocks it, the progress of each agent, what fails and what to do.
 * @param rows the height of the screen in lines; Infinity if it scrolls.
 */
export function statusLines(picture: StatusPicture, window: Screen, rows = Number.POSITIVE_INFINITY): string[] {
  if (!isPublished(picture.state.config)) return emptyLines(picture, window).slice(0, rows);
  const screen = asSeen(picture.stale, window);
  const agents = standings(picture);
  const old = staleLines(picture.stale, window);
  const above = [
    ...old,
    ...[wantedLines, brakeLines, rolloutLines, cutoverLines, coordinationLines, unseenLines].flatMap((part) =>
      part(picture, screen),
    ),
  ];
  const counts = agents.length > MAX_SINGLE ? [line(screen, `  ${tallyOf(agents, screen.now)}`)] : [];
  const failing = failureLines(agents, screen);
  above.push(...notEnrolledLines(picture.notEnrolled).map((words) => line(screen, `  ${words}`, 'bad')));
  const last = lastLines(picture, verdictOf(picture), screen);
  // A small window keeps its first and last lines and the table's worst rows. The causes are dropped first, because the
  // rows name them too.
  const fixed = above.length + counts.length + last.length;
  const roomy = fixed + failing.length + 6 <= rows;
  const table = agentTable(agents, screen, rows - fixed - (roomy ? failing.length + 1 : 0));
  const causes = failing.length > 0 && roomy ? [line(screen, 'failing:'), ...failing] : [];
  // In the smallest window, the verdict remains.
  return [...[...above, ...counts, ...table, ...causes].slice(0, Math.max(0, rows - last.length)), ...last];
}

/** The verdict that expects the agents that are online now. */
export function verdictOf({ state, fleet }: StatusPicture): Verdict {
  const online = new Set(fleet.filter((view) => view.presence).map((view) => view.agentId));
  return judgeDeployment(fleet, online, state.config.targetVersion);
}

export const standings = ({ state, fleet }: StatusPicture) =>
  fleet.map((view) => ({
    agentId: view.agentId,
    standing: presentProgress(view, state.config.targetVersion),
    view,
  }));

function wantedLines({ app, state, fleet }: StatusPicture, screen: Screen): string[] {
  const record = state.current;
  const name = record ? deploymentName(record.number) : 'set by another ZooKeeper client';
  const { target, refused: failure } = state.config;
  if (!target) {
    const { code = '', reason = '', hint = '' } = failure ?? {};
    const refused = `${app}: ${name} is refused by every agent: ${code} ${visible(reason, 300)}`;
    return [line(screen, refused, 'bad'), line(screen, `  ${hint}`)];
  }
  const { commitId, relativePath, url } = target;
  const who = record ? whoAndWhy(record, screen.now) : `${age(screen.now - state.config.mtime)} ago`;
  const signed = signatureWords(target.gitfleet?.signature, fleet, state.config.targetVersion);
  return [
    line(screen, `${app}: ${name} wants ${short(commitId)} at ${relativePath} from ${visible(url)}`),
    line(screen, `  ${who}`),
    ...(signed === '' ? [] : [line(screen, `  ${signed}`)]),
  ];
}

function whoAndWhy({ by, at, reason }: Deployment, now: number): string {
  const why = reason === '' ? '' : `: ${visible(reason, 120)}`;
  return `${visible(by, 100)}, ${age(now - at)} ago${why}`;
}

/** Who stopped publishing, and whether the target is in quarantine. */
function brakeLines({ state }: StatusPicture, screen: Screen): string[] {
  const held = inForce(state.hold.value, screen.now);
  const { config, hold, quarantine, deployments } = state;
  const entry = quarantine.value.find((each) => each.commitId === config.target?.commitId);
  return [
    ...(held ? [holdWords(held)] : []),
    ...(entry ? [`${quarantineWords(entry)}; agents that do not show it keep what they serve`] : []),
    ...[hold.unreadable, quarantine.unreadable, deployments.unreadable].filter((words) => words !== null),
  ].map((words) => line(screen, `  ${words}`, 'busy'));
}

/** Whom to look at where a rollout does not proceed, and whether all see the same data. */
function coordinationLines(picture: StatusPicture, screen: Screen): string[] {
  const { coordinator, ensembleTrouble, services = [], fleet, state } = picture;
  return [
    ...serviceLines(services, screen),
    ...unacknowledgedLines(fleet, state.config.targetVersion, screen),
    ...(coordinator ? [line(screen, `  coordinator: ${visible(coordinator, 100)}`)] : []),
    ...(ensembleTrouble ? [line(screen, `  ZooKeeper: ${visible(ensembleTrouble, 500)}`, 'bad')] : []),
  ];
}

/** What no row of the table shows. */
function unseenLines({ ignored = 0, unread = 0 }: StatusPicture, screen: Screen): string[] {
  return [
    ...(unread > 0 ? [`${count(unread, 'agent')} not read: more than 10,000 are too many`] : []),
    ...(ignored > 0 ? [`${count(ignored, 'node')} beside the agents ignored: the name is no agent's`] : []),
  ].map((words) => line(screen, `  ${words}`, 'busy'));
}

export function rolloutLines(picture: StatusPicture, screen: Screen): string[] {
  const { rollout } = picture;
  if (!rollout) return [];
  const words = waveWords(rollout, standings(picture), screen.now);
  const why = visible(rollout.reason, 300);
  switch (rollout.state) {
    case 'proven':
      return [];
    case 'running':
      return words === '' ? [] : [line(screen, `  ${words}`)];
    case 'paused':
      return [line(screen, wentBack(picture) ? `  ${words}` : `  ${words}; next: gitfleet resume`, 'busy')];
    case 'halted':
      return [line(screen, `  HALTED: ${why}`, 'bad')];
    case 'aborted':
      return [line(screen, `  its rollout was aborted${abortWords(rollout.reason)}`, 'bad')];
    default:
      return [
        line(screen, `  its rollout ${rollout.state === 'failed' ? 'failed' : 'was rolled back'}: ${why}`, 'bad'),
      ];
  }
}

/** The verdict and what to type next. */
function lastLines(picture: StatusPicture, verdict: Verdict, screen: Screen): string[] {
  const { fleet, state, selection } = picture;
  if (selection && fleet.every((view) => !view.presence))
    return nobodyChosen(selection).map((words) => line(screen, words));
  const offline = fleet.filter((view) => !view.presence).map((view) => view.agentId);
  const away = offline.length > 0 ? `, ${offline.length} offline: ${names(offline)}` : unmatched(selection);
  if (verdict.expected === 0)
    return [`${noAgentWords(fleet)}${away}`, nextWords([noAgentNext(fleet), ...waysOf(picture, verdict)])].map(
      (words) => line(screen, words),
    );
  const words = `${reachedWords(verdict, state.config.target?.commitId ?? null)}${away}`;
  const stuck = stuckOf(verdict) !== undefined;
  const tone = verdict.state === 'converged' ? 'good' : stuck ? 'bad' : undefined;
  return [line(screen, words, tone), ...nextLines(picture, screen)];
}

const wentBack = ({ fleet, state, rollout }: StatusPicture): boolean =>
  wasSetBack(fleet, state.config.targetVersion, rollout);

const stuckOf = ({ agents }: Verdict) => agents.find((agent) => agent.standing === 'failed');

/** What a person may do if something went wrong; otherwise empty. */
export function nextLines(picture: StatusPicture, screen: Screen): string[] {
  const ways = waysOf(picture, verdictOf(picture));
  return ways.length === 0 ? [] : [line(screen, nextWords(ways))];
}

/** The same commands that a waiting command names at its end. */
function waysOf(picture: StatusPicture, verdict: Verdict): string[] {
  const ending = badEnding(picture, verdict);
  if (ending === null) return [];
  const { fleet } = picture;
  if (wentBack(picture)) return [setBackWords(fleet)];
  const stuck = stuckOf(verdict);
  const look = stuck ? `gitfleet status ${visible(stuck.agentId, 100)}` : null;
  // A rollout that continues has nothing to retry.
  const isOver = picture.rollout ? picture.rollout.state === ending : verdict.state === 'failed';
  return nextCommands(ending, { ...picture, isLed: picture.isLed && isOver }, look);
}

/** Whether the picture needs to say where a rollback would go, which takes a reading of the whole history. */
export const asksForWayBack = (picture: StatusPicture): boolean => badEnding(picture, verdictOf(picture)) !== null;

function badEnding({ rollout }: StatusPicture, verdict: Verdict): 'failed' | 'halted' | 'aborted' | null {
  const state = rollout?.state;
  if (state === 'failed' || state === 'halted' || state === 'aborted') return state;
  return stuckOf(verdict) ? 'failed' : null;
}

/**
 * Labels are part of the presence, so no selector matches an offline agent. The line prevents the impression that all
 * is well.
 */
const unmatched = (selection?: Selection | null): string =>
  selection && selection.offline > 0 ? `; ${count(selection.offline, 'agent')} offline, labels unknown` : '';

const nobodyChosen = (selection: Selection): string[] => [
  `no online agent matches -l ${visible(selection.selector, 200)}; ${selection.online} others online${unmatched(selection)}`,
  'next: gitfleet status shows all of them',
];

function emptyLines({ app, fleet, ...picture }: StatusPicture, screen: Screen): string[] {
  const ids = (online: boolean) =>
    fleet.filter((view) => (view.presence !== null) === online).map((view) => view.agentId);
  const [online, offline] = [ids(true), ids(false)];
  const told = (all: string[], words: string) =>
    all.length > 0 ? [line(screen, `  ${all.length} ${words}: ${names(all)}`)] : [];
  return [
    ...staleLines(picture.stale, screen),
    line(screen, `${app}: nothing published yet`),
    ...brakeLines({ app, fleet, ...picture }, screen),
    ...coordinationLines({ app, fleet, ...picture }, screen),
    ...told(online, 'online, waiting for a target'),
    ...told(offline, 'offline'),
    ...notEnrolledLines(picture.notEnrolled).map((words) => line(screen, `  ${words}`, 'bad')),
    line(screen, nextWords(firstCommands(fleet))),
  ];
}

/** If agents already show a commit, ZooKeeper was wiped, and no record names the repository. */
const firstCommands = (fleet: readonly AgentView[]): string[] =>
  shownTargets(fleet).length === 0 ? ['gitfleet publish'] : [setBackWords(fleet), 'outside a clone add --url URL'];
