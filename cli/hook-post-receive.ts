import { randomUUID } from 'node:crypto';
import { readSharedState } from '../fleet/shared-state.ts';
import type { Git } from '../git/process.ts';
import { branchTip, commitTitle, readRepositoryConfig } from '../git/repository-config.ts';
import { movesBranch, parseUpdates } from '../hooks/choose-update.ts';
import { type HookSettings, hookSettings, publishCommand, tlsVariables } from '../hooks/hook-settings.ts';
import { publishTip } from '../hooks/post-receive.ts';
import { publish } from '../publisher/publish.ts';
import { systemClock } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import { clean } from '../runtime/log.ts';
import type { CommitId } from '../schemas/values.ts';
import { znodes } from '../schemas/znodes.ts';
import { author } from './author.ts';
import { EXIT } from './exit-codes.ts';
import { followPublished } from './follow-published.ts';
import { gitOfHooks } from './git-of-hooks.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say, warn } from './terminal.ts';
import { withSession } from './with-session.ts';

/** What a push waits for at most: for ZooKeeper to answer, and then for the fleet. */
const ANSWER_MS = 5_000;
const FOLLOW_MS = 60_000;

/**
 * What the installed post-receive hook calls. The push is over by now and cannot fail any more; whatever goes wrong is
 * said on the pusher's terminal with the command that publishes later. Always exits 0.
 */
export async function run({ options }: Call): Promise<number> {
  const repository = String(options['repository']);
  const git = gitOfHooks();
  let config: HookSettings | null = null;
  try {
    config = hookSettings(await readRepositoryConfig(git, repository));
    if (!movesBranch(parseUpdates(await readInput()), config.branch)) return EXIT.converged;
    await deploy(git, repository, config);
  } catch (error) {
    const failure = classify(error);
    const said =
      failure.code === 'PUBLISH_UNKNOWN' ? 'pushed; whether it deploys is not known' : 'pushed, but not deployed';
    warn(`gitfleet: ${said}: ${failure.code}: ${clean(failure.message)}`);
    if (failure.hint) warn(`  ${failure.hint}`);
    if (config) {
      const tip = await branchTip(git, repository, config.branch).catch(() => null);
      warn(`  to deploy later: ${publishCommand(config, tip ?? '<commit>')}`);
    }
  }
  return EXIT.converged;
}

async function deploy(git: Git, repository: string, config: HookSettings): Promise<void> {
  const { zookeeper, app } = config;
  const flags = { zookeeper, app, authFile: config.authFile ?? undefined, settings: config.settings ?? undefined };
  // Nothing of whoever pushes takes part, nor of the machine: a deployment is what the hook was installed for.
  const settings = await readSettings(flags, { environment: tlsVariables(config) });
  await withSession(
    settings,
    async (session, access) => {
      const paths = znodes(config.app);
      const by = author(process.env);
      const result = await publishTip({
        ...config,
        readState: () => readSharedState(session, paths),
        readTip: async () => (await branchTip(git, repository, config.branch)) as CommitId | null,
        publish: async (since, target) =>
          await publish({ session, znodes: paths, access, now: () => systemClock.now(), newNonce: randomUUID }, since, {
            target,
            author: by,
            reason: await commitTitle(git, repository, target.commitId),
            via: 'hook',
            ref: `refs/heads/${config.branch}`,
          }),
      });
      if (result.kind === 'deleted') return say(`gitfleet: ${config.branch} is gone again, nothing to deploy`);
      if (result.kind === 'already')
        return say(`gitfleet: ${config.branch} is at ${result.tip.slice(0, 10)}, published already`);
      const following = { timeoutMs: FOLLOW_MS, detach: false, json: false, by };
      await followPublished(session, paths, result.published, following);
    },
    ANSWER_MS,
  );
}

/** Lines of a push of any size; what is longer than ten megabytes is no push of this world. */
async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > 10_000_000) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}
