import { inspectLink, linkOf } from '../../agent/disk/layout.ts';
import { type Adopted, type AdoptParts, adopt } from '../../agent/local/adopt.ts';
import type { AdoptWish } from '../../agent/local/adopt-decision.ts';
import { NO_FAILPOINT } from '../../agent/state/failpoints.ts';
import { noteShown, noteWell } from '../../agent/state/link-history.ts';
import { createGit } from '../../git/run/process.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { classify, FleetError, isAbort } from '../../runtime/errors.ts';
import { createLog } from '../../runtime/log.ts';
import { clean } from '../../runtime/safe-text.ts';
import { createShutdown, type Shutdown } from '../../runtime/shutdown.ts';
import { parseRelativePath } from '../../schemas/relative-path.ts';
import { type AgentSettings, agentSettings, type Settings } from '../../schemas/settings/settings.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { Call } from '../command-table.ts';
import { localParts, openLocalAgent } from '../daemon/local-agent.ts';
import { becomeAgentUser } from '../shell/agent-user.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, warn } from '../shell/terminal.ts';

/**
 * `gitfleet agent adopt PATH`: takes over a clean clone, or a link as Capistrano makes it, on a server whose agent is
 * stopped. What was there is kept; for a directory there is an instant without the path (agent/local/adopt.ts). Exits 0
 * if our link shows the same commit, proved. Otherwise nothing of theirs was touched, or the failure is
 * ADOPTED_NOT_NOTED.
 */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options, { zookeeper: false });
  const agent = agentSettings(settings);
  await becomeAgentUser(agent.state);
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
    const { adoption, before, gone } = await adoptHere(parts, wish, shutdown.signal);
    const { commitId, url } = adoption;
    const link = linkOf(parts.layout, relativePath);
    if (options['json']) sayJson({ relativePath, commitId, url, from: adoption.from.kind, before, gone });
    else {
      say(`${link} shows ${commitId}, verified, of ${url}`);
      say(`the earlier content is unchanged at ${before}; remove it when it is no longer needed`);
      if (gone.length > 0) say(`no longer shown, because not part of the commit: ${listed(gone)}`);
      say(
        'next: start the agent; it keeps this commit while the fleet has the same target:',
        `  gitfleet publish --url ${url} --relative-path ${relativePath} ${commitId}`,
      );
    }
    return EXIT.converged;
  } catch (error) {
    if (!isAbort(error)) throw stopFirst(error);
    warn('stopped; nothing was changed');
    return EXIT.detached;
  } finally {
    await shutdown.stop();
  }
}

/**
 * Adopts and, if that failed, looks at the link: once ours has replaced theirs, the adoption has happened, even if
 * something could not be written after it. Then the journal says so, and the failure does too.
 * @throws FleetError ADOPTED_NOT_NOTED, and those of adopt.
 */
export async function adoptHere(
  parts: AdoptParts,
  wish: AdoptWish & { readonly by: string; readonly reason: string },
  signal: AbortSignal,
): Promise<Adopted> {
  const { layout, uid } = parts;
  const { relativePath } = wish;
  const shown = async () => await inspectLink(layout, relativePath, [], uid).catch(() => null);
  const before = await shown();
  try {
    return await adopt(parts, wish, signal);
  } catch (error) {
    const commitId = await shown();
    if (commitId === null || before !== null) throw error;
    const unnoted = await noteServed(parts, wish, commitId).then(
      () => '',
      (second: unknown) => `; nor could the journal be written: ${classify(second).message}`,
    );
    const link = linkOf(layout, relativePath);
    throw FleetError.of(
      'ADOPTED_NOT_NOTED',
      `${link} shows ${commitId}, verified, and what was there is kept; but then: ${classify(error).message}${unnoted}`,
      'remove the cause and start the agent: it continues from what the link shows; do not adopt again',
      error,
    );
  }
}

/** What adopt would have noted: a release that served well until now is one to return to. */
async function noteServed(parts: AdoptParts, { relativePath, url }: AdoptWish, commitId: CommitId): Promise<void> {
  await parts.remember((journal) => {
    const noted = noteShown(journal, relativePath, commitId, parts.clock.now());
    return noteWell(noted, relativePath, commitId, url ?? undefined);
  });
}

async function openParts(settings: Settings, agent: AgentSettings, shutdown: Shutdown) {
  const log = createLog({ level: 'silent' });
  // For this one command, the store may fetch from the directory itself. The settings still decide which url it must
  // have.
  const fetching = { ...agent, allowUrls: [...agent.allowUrls, 'file:///'] };
  const local = await openLocalAgent(settings, fetching, log, shutdown, NO_FAILPOINT);
  const git = createGit({ clock, log, path: local.commandPath, lockFd: local.ground.lockFd });
  return { ...localParts(local, settings, agent, log, NO_FAILPOINT), git };
}

function stopFirst(error: unknown): FleetError {
  const failure = classify(error);
  if (failure.code !== 'STATE_TAKEN') return failure;
  const hint = 'stop the agent, adopt, and start it again';
  return new FleetError({ ...failure.toFailure(), hint }, { cause: error });
}

const MAX_NAMES = 10;

function listed(names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  return (
    names
      .slice(0, MAX_NAMES)
      .map((name) => clean(name, 200))
      .join(', ') + more
  );
}
