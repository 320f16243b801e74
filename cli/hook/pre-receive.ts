import { holdTime } from '../../fleet/hold-time.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { readRepositoryConfig } from '../../git/host/repository-config.ts';
import { checkPushed, gitOfPush, readTopFile } from '../../git/objects/check-push.ts';
import { CONTENT_RULES } from '../../git/objects/content.ts';
import {
  type Candidate,
  chooseUpdates,
  parseUpdates,
  type Unclear,
  unclearUpdates,
} from '../../hooks/choose-update.ts';
import { askGate, type GateAnswer, type GateParts } from '../../hooks/gate.ts';
import { hookSettings } from '../../hooks/hook-settings.ts';
import { parsePushOptions, readPushOptions } from '../../hooks/push-options.ts';
import { createAncestry } from '../../publisher/ancestry.ts';
import { systemClock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { RELEASE_FILE } from '../../schemas/steps.ts';
import type { CommitId } from '../../schemas/values.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { warn } from '../shell/terminal.ts';
import { pushFailureLines, readHookInput, settingsOfHook } from './call.ts';
import { gitOfHooks, graphOf } from './environment.ts';

/** A gate delays a push: shorter than the wait of post-receive, which asks the same ZooKeeper again. */
const ANSWER_MS = 3_000;
/** The largest tree that agents accept is read in a second or two. */
const CONTENT_MS = 15_000;

/**
 * Called by the installed pre-receive hook: refuses a push (exit code 5) that could not be deployed, with the reason on
 * the pusher's terminal. Without an answer, a strict gate refuses and a lenient one lets the push through, because
 * publishing decides again what is deployed.
 */
export async function run({ options }: Call): Promise<number> {
  const repository = String(options['repository']);
  const { hooks, broken } = hookSettings(await readRepositoryConfig(gitOfHooks(), repository));
  const git = await gitOfPush(gitOfHooks().sandbox, repository, String(options['quarantine']));
  const updates = parseUpdates(await readHookInput());
  const choices = await chooseUpdates(git, repository, updates, hooks);
  const gated = choices.map(({ chosen }) => chosen).filter(({ hook }) => hook.gate !== null);
  const open = await Promise.all(gated.map(async (each) => tell(each, await ask(git, repository, each))));
  const unclear = unclearUpdates(updates, broken).filter(({ hook }) => hook.gate !== null);
  const passes = unclear.map((each) => tell(each, { kind: 'unknown', failure: each.hook.failure }));
  return [...open, ...passes].every(Boolean) ? EXIT.converged : EXIT.refused;
}

type Git = Awaited<ReturnType<typeof gitOfPush>>;

async function ask(git: Git, repository: string, { hook, commitId }: Candidate): Promise<GateAnswer> {
  try {
    const settings = await settingsOfHook(hook);
    const id = commitId as CommitId;
    const rules = { ...CONTENT_RULES, ...settings.agent.content };
    const parts = {
      readBrakes: () => readBrakes(settings),
      contains: createAncestry(graphOf(git, repository), id).contains,
      force: parsePushOptions(readPushOptions(process.env)).force !== null,
      readReleaseFile: () => readTopFile(git, repository, id, RELEASE_FILE),
      checkContent: () => checkPushed(git, repository, id, rules, AbortSignal.timeout(CONTENT_MS)),
    };
    return await askGate(parts, commitId);
  } catch (error) {
    return { kind: 'unknown', failure: classify(error) };
  }
}

async function readBrakes(settings: Settings): ReturnType<GateParts['readBrakes']> {
  const call = { deadlineMs: ANSWER_MS };
  return await withSession(
    settings,
    async (session) => {
      const paths = znodes(settings.app);
      const { hold, quarantine } = await readSharedState(session, paths, call);
      const now = await holdTime({ session, znodes: paths, now: () => systemClock.now() }, hold, call);
      return { hold, quarantine, now };
    },
    ANSWER_MS,
  );
}

/** Whether the push may continue. */
function tell({ hook, branch, commitId }: Candidate | Unclear, answer: GateAnswer): boolean {
  if (answer.kind === 'open') return true;
  const what = `${visible(branch, 100)} ${commitId.slice(0, 10)} for ${hook.app ?? 'some app'}`;
  const passes = answer.kind === 'unknown' && hook.gate === 'lenient';
  const said = passes
    ? `the gate has no answer about ${what}, so it accepts the push`
    : answer.kind === 'refused'
      ? `refused: ${what} could not be deployed`
      : `refused: the gate is strict and has no answer about ${what}`;
  const lines = pushFailureLines(said, answer.failure);
  // The post-receive hook gets the same failure and says what to do.
  warn(...(passes ? lines.slice(0, 1) : lines));
  return passes;
}
