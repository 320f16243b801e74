import { type Recorded, readDeployment } from '../../fleet/history.ts';
import type { PublishParts, PublishRequest } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import type { CommitGraph } from '../../git/host/commit-graph.ts';
import { branchTip, commitTitle, readRepositoryConfig } from '../../git/host/repository-config.ts';
import type { Git } from '../../git/run/process.ts';
import { type Choice, chooseUpdates, oddBranches, parseUpdates } from '../../hooks/choose-update.ts';
import { hookSettings, publishCommand } from '../../hooks/hook-settings.ts';
import { pinDeployments } from '../../hooks/pins.ts';
import { type PostReceiveResult, publishTip, targetOfTip } from '../../hooks/post-receive.ts';
import { type PushOptions, parsePushOptions, readPushOptions } from '../../hooks/push-options.ts';
import { createAncestry } from '../../publisher/ancestry.ts';
import { findBringsBack } from '../../publisher/brings-back.ts';
import { readChange } from '../../publisher/change.ts';
import { publish } from '../../publisher/publish.ts';
import { againWords } from '../../publisher/screens/history-screen.ts';
import type { Followed } from '../../publisher/screens/published-lines.ts';
import type { TargetSigner } from '../../publisher/sign-target.ts';
import { systemClock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import { createMutex, type Mutex } from '../../runtime/mutex.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { visible } from '../../runtime/safe-text.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import { deploymentName } from '../../schemas/deployment.ts';
import type { CommitId } from '../../schemas/values.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { followPublished, sayPublished } from '../deploy/follow-published.ts';
import { audienceOf, signerOf } from '../deploy/signer.ts';
import { author } from '../shell/author.ts';
import { bundlerOf } from '../shell/bundler.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { ignoreClosedOutput, say, warn } from '../shell/terminal.ts';
import { pushFailureLines, readHookInput, settingsOfHook } from './call.ts';
import { gitOfHooks, graphOf, onceMore } from './environment.ts';
import { objections } from './objections.ts';

/** How long a push waits for ZooKeeper to answer. */
const ANSWER_MS = 5_000;
/** For the whole publish: a push has 15 s for everything. */
const PUSH_MS = 10_000;
const SETTLE_MS = 10_000;

/**
 * Called by the installed post-receive hook. The push is over by now and can no longer fail. Any problem is shown on
 * the pusher's terminal, with the command that publishes later. Always exits 0. If the pusher disconnects, what was
 * received is still deployed.
 */
export async function run({ options }: Call): Promise<number> {
  ignoreClosedOutput();
  for (const signal of ['SIGHUP', 'SIGINT'] as const) process.on(signal, () => {});
  const repository = String(options['repository']);
  try {
    const git = onceMore(gitOfHooks());
    const { hooks, broken } = hookSettings(await readRepositoryConfig(git, repository));
    const asked = parsePushOptions(readPushOptions(process.env));
    const updates = parseUpdates(await readHookInput());
    const choices = await chooseUpdates(git, repository, updates, hooks);
    warn(...asked.warnings);
    sayOddBranches(oddBranches(updates, hooks));
    for (const { failure } of broken) sayNotDeployed(failure);
    if (hooks.length + broken.length === 0) {
      warn('gitfleet: nothing is deployed: the hook is installed, but the git config of this repository names no app');
      warn('  on the git host run gitfleet hook install, or remove the hook with gitfleet hook uninstall');
    }
    const turn = createMutex();
    await Promise.all(choices.map((choice) => deploy({ git, repository, asked, turn }, choice)));
  } catch (error) {
    sayNotDeployed(error);
  }
  return EXIT.converged;
}

interface Push {
  readonly git: Git;
  readonly repository: string;
  readonly asked: PushOptions;
  /** Apps publish in parallel and report one after another. */
  readonly turn: Mutex;
}

async function deploy(push: Push, choice: Choice): Promise<void> {
  const { hook, branch } = choice.chosen;
  try {
    await publishAndFollow(push, choice);
  } catch (error) {
    await push.turn(async () => {
      sayNotDeployed(error);
      const tip = await branchTip(push.git, push.repository, branch).catch(() => null);
      warn(`  to deploy later: ${publishCommand(hook, tip ?? '<commit>')}`);
    });
  }
}

async function publishAndFollow(push: Push, choice: Choice): Promise<void> {
  const { git, repository, asked } = push;
  const { hook, branch } = choice.chosen;
  const settings = await settingsOfHook(hook);
  const signer = await signerOf(settings);
  if (signer) await beginSigning(signer, push, choice);
  const bundler = await bundlerOf(settings, { gitDir: repository });
  await withSession(
    settings,
    async (session, access) => {
      const paths = znodes(hook.app);
      const now = () => systemClock.now();
      const graph = graphOf(git, repository);
      const unknown = new Set<CommitId>();
      const parts = { session, znodes: paths, access, now, newNonce, settleMs: SETTLE_MS, wholeMs: PUSH_MS };
      const object = objections({ session, znodes: paths, git, repository, graph, audience: audienceOf(settings) });
      const result = await publishTip({
        url: hook.url,
        relativePath: hook.relativePath,
        branch,
        signs: signer !== null,
        readState: () => readSharedState(session, paths, { deadlineMs: ANSWER_MS }),
        readTip: async () => (await branchTip(git, repository, branch)) as CommitId | null,
        publish: async (since, target) => {
          await object(target);
          const signed = signer?.sign(target, since.config.target) ?? Promise.resolve(target);
          return await publish(parts, since, {
            target: await (bundler?.(parts, since, target, signed) ?? signed),
            by: author(process.env),
            contains: containsIn(graph, target.commitId, unknown),
            force: asked.force !== null,
            reason: asked.force ?? asked.message ?? (await commitTitle(git, repository, target.commitId)),
            via: 'hook',
            ref: `refs/heads/${branch}`,
          });
        },
      });
      const pinned = pinDeployments(git, repository, parts, result.newest).catch(sayNotPinned);
      const change = result.kind === 'published' ? await changeOf(result, graph, parts, [...unknown]) : null;
      await push.turn(() => tell(asked, choice, result, change, parts));
      await pinned;
    },
    ANSWER_MS,
  );
}

/** While the session connects: nearly always the branch is published as it is now. */
async function beginSigning(signer: TargetSigner, { git, repository }: Push, { chosen }: Choice): Promise<void> {
  const { hook, branch } = chosen;
  const tip = await branchTip(git, repository, branch);
  if (tip !== null) signer.begin(targetOfTip({ ...hook, branch }, tip as CommitId));
}

/** @param unknown gets the commits that this repository, which may be shallow, knows nothing about. */
function containsIn(
  graph: CommitGraph,
  tip: CommitId,
  unknown: Set<CommitId>,
): NonNullable<PublishRequest['contains']> {
  const ancestry = createAncestry(graph, tip);
  return async (commitIds) => {
    const found = await ancestry.contains(commitIds);
    for (const id of ancestry.unknown) unknown.add(id);
    return found;
  };
}

/** The added commits, and those of them that a rollback had taken away. Read once the target is written. */
async function changeOf(
  { published }: Extract<PostReceiveResult, { kind: 'published' }>,
  graph: CommitGraph,
  parts: Pick<PublishParts, 'session' | 'znodes'>,
  unknown: readonly CommitId[],
) {
  const before = published.previous?.target.commitId ?? '';
  const from = isCommitId(before) ? before : null;
  const to = published.record.target.commitId as CommitId;
  const [change, bringsBack] = await Promise.all([readChange(graph, from, to), findBringsBack(parts, graph, from, to)]);
  return { change, contains: { bringsBack, unknown } };
}

/** Reports the result, and then follows the fleet until it has settled. */
async function tell(
  asked: PushOptions,
  choice: Choice,
  result: PostReceiveResult,
  change: Awaited<ReturnType<typeof changeOf>> | null,
  parts: Pick<PublishParts, 'session' | 'znodes' | 'access'>,
): Promise<void> {
  const branch = visible(choice.chosen.branch, 100);
  sayPassedOver(choice);
  if (result.kind === 'deleted') return say(`gitfleet: ${branch} is gone again, nothing to deploy`);
  const followed = result.kind === 'published' ? result.published : await withPrevious(result.current);
  const sayAlready = () => {
    const as = followed
      ? ` as ${deploymentName(followed.record.number)} by ${visible(followed.record.by, 100)}${againWords(followed.record)}`
      : '';
    say(`gitfleet: ${branch} is at ${result.tip.slice(0, 10)}, published already${as}`);
  };
  if (!followed) return sayAlready();
  const following = { timeoutMs: asked.timeoutMs, detach: !asked.wait, json: false, by: author(process.env) };
  await followPublished(parts, followed, following, () => {
    if (result.kind === 'already') sayAlready();
    else sayPublished(followed, change?.change ?? null, false, change?.contains);
    if (!asked.wait) say('  not waited for (gitfleet.wait=no)');
  });

  async function withPrevious(current: Recorded | null): Promise<Followed | null> {
    if (!current) return null;
    const number = current.record.previous;
    const previous = number === null ? null : await readDeployment(parts.session, parts.znodes, number);
    return { ...current, previous, again: true };
  }
}

function sayPassedOver({ chosen, passedOver }: Choice): void {
  if (passedOver.length === 0) return;
  const names = passedOver.slice(0, 3).map(({ branch }) => visible(branch, 100));
  const more = passedOver.length > 3 ? ` and ${passedOver.length - 3} more` : '';
  say(
    `gitfleet: of several branches for ${chosen.hook.app} the newest is deployed, ${visible(chosen.branch, 100)}; not ${names.join(', ')}${more}`,
  );
}

function sayOddBranches(names: readonly string[]): void {
  if (names.length === 0) return;
  const some = names.slice(0, 3).map((name) => JSON.stringify(visible(name, 100)));
  const more = names.length > some.length ? ` and ${names.length - some.length} more` : '';
  warn(
    `gitfleet: not deployed: ${some.join(', ')}${more}: a pattern deploys no branch of such a name`,
    '  rename it: letters, digits and . _ + # @ = , % / - only, at most 200 characters',
  );
}

function sayNotPinned(error: unknown): void {
  warn(...pushFailureLines('deployed, but not kept under refs/deployments', error));
}

function sayNotDeployed(error: unknown): void {
  const unknown = classify(error).code === 'PUBLISH_UNKNOWN';
  warn(...pushFailureLines(unknown ? 'pushed; whether it deploys is not known' : 'pushed, but not deployed', error));
}
