import { publishRefusal } from '../../fleet/rights.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import type { HookSettings } from '../../hooks/hook-settings.ts';
import { type HookStatus, inspectHooks, problemsOf } from '../../hooks/inspect.ts';
import { systemClock } from '../../runtime/clock.ts';
import { classify, type Failure } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { settingsOfHook } from './call.ts';
import { elsewhere, gitOfHooks, hookCommand, namedRepository, notTheReceiver } from './environment.ts';

const ANSWER_MS = 5_000;

/**
 * `gitfleet hook status`: what is installed for which branch, whether git will run it, and whether each installation's
 * ZooKeeper answers and would let it publish. Changes nothing. Exits 0 if a push would deploy, 1 if something prevents
 * it, and 7 if that is ZooKeeper or the credential.
 */
export async function run({ options, words }: Call): Promise<number> {
  const repository = await namedRepository(words[0]);
  const status = await inspectHooks(gitOfHooks(), repository, hookCommand(), systemClock.now());
  const asked = await Promise.all(status.hooks.map(async (hook) => ({ hook, refused: await askZooKeeper(hook) })));
  const problems = problemsOf(status);
  if (status.hooks.length > 0) problems.push(...(await elsewhere(status.gitDir)), ...(await unsure(status.gitDir)));
  if (options['json']) {
    const broken = status.broken.map(({ section, failure }) => ({ section, ...failure.toFailure() }));
    const zookeeper = asked.map(({ hook, refused }) => ({ branch: hook.branch, app: hook.app, refused }));
    sayJson({ ...status, broken, zookeeper, problems });
  } else say(...lines(status, asked, problems).map((line) => visible(line)));
  if (problems.length > 0 || status.hooks.length === 0) return EXIT.failed;
  return asked.some(({ refused }) => refused) ? EXIT.unavailable : EXIT.converged;
}

async function unsure(gitDir: string): Promise<string[]> {
  const why = await notTheReceiver(gitDir);
  return why
    ? [`${why}, so this does not show what a push would find; run it as the user that receives the pushes there`]
    : [];
}

interface Asked {
  readonly hook: HookSettings;
  /** Null: ZooKeeper answers, and this installation may publish. */
  readonly refused: Failure | null;
}

async function askZooKeeper(hook: HookSettings): Promise<Failure | null> {
  try {
    const refusal = await withSession(
      await settingsOfHook(hook),
      async (session) => {
        const paths = znodes(hook.app);
        await readSharedState(session, paths, { deadlineMs: ANSWER_MS });
        return await publishRefusal(session, paths, { deadlineMs: ANSWER_MS });
      },
      ANSWER_MS,
    );
    return refusal && classify(refusal).toFailure();
  } catch (error) {
    return classify(error).toFailure();
  }
}

const WHOSE = { ours: 'ours', edited: 'ours, edited', foreign: 'not ours', absent: 'missing' };

function lines({ hooks, files, pushOptions, pins }: HookStatus, asked: readonly Asked[], problems: string[]): string[] {
  if (hooks.length === 0 && problems.length === 0) return ['nothing is installed', 'next: gitfleet hook install'];
  const installations = asked.flatMap(({ hook, refused }) => [
    `${hook.branch} deploys to ${hook.app} at ${hook.relativePath}, agents fetch from ${hook.url}`,
    `  gate: ${hook.gate ?? 'none'}; ${pins[hook.app] ?? 0} deployments pinned`,
    hook.signKey === null ? '  signs nothing' : `  signs with ${hook.signKey} for ${hook.audience}`,
    ...(hook.bundle === null ? [] : [`  puts small changes into ZooKeeper for the agents (${hook.bundle})`]),
    refused
      ? `  PROBLEM: ${hook.zookeeper}: ${refused.code}: ${refused.reason}; ${refused.hint}`
      : `  ${hook.zookeeper} answers, and lets this hook publish`,
  ]);
  const hookFiles = files.flatMap(({ file, state, earlier, needed, current }) => {
    if (!needed) return [];
    const whose = state === 'ours' && !current ? 'ours, written by another gitfleet' : WHOSE[state];
    return [
      `${file}: ${whose}${earlier && state !== 'foreign' && state !== 'absent' ? `; first calls ${earlier}` : ''}`,
    ];
  });
  const git = hooks.length > 0 ? [`push options: ${pushOptions ? 'on' : 'off'}`] : [];
  return [...installations, ...hookFiles, ...git, ...problems.map((problem) => `PROBLEM: ${problem}`)];
}
