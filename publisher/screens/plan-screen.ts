import type { AgentView } from '../../fleet/fleet-view.ts';
import { visible } from '../../runtime/safe-text.ts';
import { shellWord } from '../../runtime/shell-word.ts';
import { deploymentName } from '../../schemas/deployment.ts';
import type { PlanOutput } from '../../schemas/json-output.ts';
import type { Target } from '../../schemas/target.ts';
import type { PublishPlan } from '../plan.ts';
import { changeLines, placeLines } from './change-lines.ts';
import { line, type Screen } from './columns.ts';
import { bringsBackLines, unknownLines } from './contains-lines.ts';
import { waveLines, wavesNow } from './policy-lines.ts';
import { age, count, names, noAgentNext, noAgentWords, short } from './words.ts';

/**
 * `gitfleet plan`.
 * @param publish the full command for this plan: without its arguments, `gitfleet publish` would take another commit.
 */
export function planLines(plan: PublishPlan, publish: string, screen: Screen): string[] {
  const { resolved, current, takePart, suspended, offline, blockers } = plan;
  const { target, warnings, change } = resolved;
  const before = current ? `${short(current.commitId)}${plan.currentName ? ` (${plan.currentName})` : ''} -> ` : '';
  const places = placeLines(current, target);
  const where = `at ${target.relativePath} from ${visible(target.url)}`;
  const back = plan.returnsTo === null ? '' : `, back to ${deploymentName(plan.returnsTo)}`;
  const ids = (views: readonly AgentView[]) =>
    names(
      views.map((view) => view.agentId),
      10,
    );
  return [
    line(
      screen,
      `${plan.app}: ${deploymentName(plan.deployment)} would be ${before}${short(target.commitId)} ${where}${back}`,
    ),
    ...places.map((each) => line(screen, each)),
    ...changeLines(change, places.length > 0, screen),
    ...(change.ahead === null && change.from
      ? ['  which commits lie between them is not known here: no clone with the whole history (git fetch --unshallow)']
      : []),
    ...warnings.map((warning) => line(screen, `  warning: ${warning}`, 'busy')),
    ...bringsBackLines(target.commitId, plan.bringsBack, screen),
    ...unknownLines(plan.unknown, screen),
    line(
      screen,
      takePart.length === 0
        ? `  ${noAgentWords(suspended)}: ${noAgentNext(suspended)}`
        : `  ${count(takePart.length, 'agent')} would take part: ${ids(takePart)}`,
    ),
    ...(plan.policy && takePart.length > 0 ? waveLines(plan.policy, takePart) : []).map((each) => line(screen, each)),
    ...(suspended.length > 0 ? [line(screen, `  ${suspended.length} suspended on the server: ${ids(suspended)}`)] : []),
    ...(offline.length > 0
      ? [line(screen, `  ${offline.length} offline, catching up automatically: ${offlineWords(offline, screen.now)}`)]
      : []),
    ...blockers.flatMap(({ code, reason, hint }) => [
      line(screen, `blocked by ${code}: ${visible(reason, 500)}`, 'bad'),
      line(screen, `  ${hint}`),
    ]),
    lastWords(plan, publish),
  ];
}

function lastWords({ changes, blockers, returnsTo }: PublishPlan, publish: string): string {
  if (blockers.length > 0)
    return `nothing was written; a ${returnsTo === null ? 'publish' : 'rollback'} now would be refused`;
  return changes
    ? `nothing was written; next: ${publish}`
    : `nothing was written; this target is published already: ${publish} makes every agent check it again`;
}

function offlineWords(offline: readonly AgentView[], now: number): string {
  const seen = ({ agentId, reportedAt }: AgentView) =>
    reportedAt === null ? agentId : `${agentId} (last report ${age(now - reportedAt)} ago)`;
  return names(offline.map(seen));
}

/** `gitfleet plan --json`. */
export function planOutputOf(plan: PublishPlan): PlanOutput {
  const { resolved, current, takePart, suspended, offline, blockers, changes, deployment } = plan;
  const core = ({ url, commitId, relativePath }: Target) => ({ url, commitId, relativePath });
  return {
    ...{ changes, deployment, returnsTo: plan.returnsTo, warnings: [...resolved.warnings], blockers: [...blockers] },
    bringsBack: [...plan.bringsBack],
    current: current && core(current),
    target: core(resolved.target),
    change: { ...resolved.change, titles: [...resolved.change.titles] },
    agents: takePart.map((view) => view.agentId),
    waves: plan.policy ? wavesNow(plan.policy, takePart) : [],
    suspended: suspended.map((view) => view.agentId),
    offline: offline.map(({ agentId, reportedAt }) => ({ agentId, reportedAt })),
  };
}

/** The arguments of `gitfleet plan`: the options by their names in commander, and the revision. */
interface Typed {
  readonly options: Readonly<Record<string, unknown>>;
  readonly rev: string | undefined;
}

/** The `gitfleet publish` command for what `gitfleet plan` showed, for a shell in the same directory. */
export function publishWords({ options, rev }: Typed): string {
  const typed = [...(rev === undefined ? [] : [rev]), ...valuedWords(options)];
  const words = [...typed, ...(options['check'] === false ? ['--no-check'] : [])];
  return commandWords('publish', words, options['force'] === true ? ' --force -m WHY' : '');
}

/**
 * The command for what `gitfleet plan --rollback` showed. It names the deployment, because another may become proven.
 */
export const rollbackWords = (options: Typed['options'], to: number): string =>
  commandWords('rollback', [deploymentName(to), ...valuedWords(options)], '');

const commandWords = (verb: string, words: readonly string[], more: string): string =>
  visible(`gitfleet ${verb}${words.map((word) => ` ${shellWord(word)}`).join('')}${more}`, 2_000);

const valuedWords = (options: Typed['options']): string[] =>
  VALUED.flatMap(([name, flag]) => {
    const value = options[name];
    if (typeof value !== 'string') return [];
    // A value that looks like an option must be attached with `=`.
    return value.startsWith('-') ? [`${flag}=${value}`] : [flag, value];
  });

/** The options that decide what is published, and where. */
const VALUED = [
  ['url', '--url'],
  ['relativePath', '--relative-path'],
  ['zookeeper', '--zookeeper'],
  ['app', '--app'],
  ['authFile', '--auth-file'],
  ['settings', '--settings'],
] as const;
