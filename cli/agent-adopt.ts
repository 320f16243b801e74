import { adopt } from '../agent/adopt.ts';
import { NO_FAILPOINT } from '../agent/failpoints.ts';
import { linkOf } from '../agent/place.ts';
import { createGit } from '../git/process.ts';
import { systemClock as clock } from '../runtime/clock.ts';
import { classify, FleetError, isAbort } from '../runtime/errors.ts';
import { clean, createLog } from '../runtime/log.ts';
import { createShutdown, type Shutdown } from '../runtime/shutdown.ts';
import { parseRelativePath } from '../schemas/relative-path.ts';
import { type AgentSettings, agentSettings, type Settings } from '../schemas/settings.ts';
import { author } from './author.ts';
import { EXIT } from './exit-codes.ts';
import { localParts, openLocalAgent } from './local-agent.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say, warn } from './terminal.ts';

/**
 * `gitfleet agent adopt PATH`: takes over a clean clone, or a link as Capistrano makes it, on a server whose agent is
 * stopped. What was there is kept; for a directory there is an instant without the path (agent/adopt.ts). Exits 0 when
 * our link shows the same commit, proved; else nothing of theirs was touched.
 */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options, { zookeeper: false });
  const agent = agentSettings(settings);
  const path = parseRelativePath(words[0] ?? '');
  if (!path.ok) throw new FleetError(path.failure);
  const { relativePath } = path;
  const wish = {
    relativePath,
    url: (options['url'] as string | undefined) ?? null,
    allowUrls: agent.allowUrls,
    by: author(process.env),
    reason: (options['message'] as string | undefined) ?? '',
  };
  const shutdown = createShutdown((name, error) => warn(`stopping ${name} failed: ${error}`));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => shutdown.ask());
  try {
    const parts = await openParts(settings, agent, shutdown);
    const { adoption, before, gone } = await adopt(parts, wish, shutdown.signal);
    const { commitId, url } = adoption;
    const link = linkOf(parts.places, relativePath);
    if (options['json']) say(JSON.stringify({ relativePath, commitId, url, from: adoption.from.kind, before, gone }));
    else {
      say(`${link} shows ${commitId}, verified, of ${url}`);
      say(`what was there is at ${before}, as it was; remove it when nobody needs it any more`);
      if (gone.length > 0) say(`shown until now and no part of the commit: ${listed(gone)}`);
      say(
        'next: start the agent; it keeps this while the fleet wants the same:',
        `  gitfleet publish --url ${url} --relative-path ${relativePath} ${commitId}`,
      );
    }
    return EXIT.converged;
  } catch (error) {
    if (!isAbort(error)) throw stopFirst(error);
    warn('stopped; nothing that was there was touched');
    return EXIT.detached;
  } finally {
    await shutdown.stop();
  }
}

async function openParts(settings: Settings, agent: AgentSettings, shutdown: Shutdown) {
  const log = createLog({ level: 'silent' });
  // For this one command the store may fetch from the directory itself; which url it must be is judged by the settings.
  const fetching = { ...agent, allowUrls: [...agent.allowUrls, 'file:///'] };
  const local = await openLocalAgent(settings, fetching, log, shutdown, NO_FAILPOINT);
  const git = createGit({ clock, log, path: local.commandPath, lockFd: local.ground.lockFd });
  return { ...localParts(local, settings, agent, log, NO_FAILPOINT), git };
}

function stopFirst(error: unknown): FleetError {
  const failure = classify(error);
  if (failure.code !== 'STATE_TAKEN') return failure;
  const hint = 'stop the agent for this, adopt, and start it again';
  return new FleetError({ ...failure.toFailure(), hint }, { cause: error });
}

const MOST_NAMES = 10;

function listed(names: readonly string[]): string {
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  return (
    names
      .slice(0, MOST_NAMES)
      .map((name) => clean(name, 200))
      .join(', ') + more
  );
}
