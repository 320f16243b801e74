import type { AgentView } from '../../fleet/fleet-view.ts';
import type { SharedState } from '../../fleet/shared-state.ts';
import { createRemote, type Remote } from '../../git/host/remote.ts';
import { type Resolved, resolveTarget } from '../../publisher/resolve-target.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { ANY_URL } from '../../schemas/target.ts';
import { parseUrl } from '../../schemas/url.ts';
import { audienceOf } from './signer.ts';

/** What `publish --again` found from the agents; `url` null: history has no record of that commit. */
export interface Again {
  readonly commitId: string;
  readonly relativePath: string;
  readonly url: string | null;
}

/** The target that `publish` and `plan` are about, from the words, the options and the current clone. */
export async function resolveAsked(
  state: SharedState,
  { publisher }: Settings,
  options: Readonly<Record<string, unknown>>,
  rev: string | undefined,
  agents: () => Promise<readonly AgentView[]>,
  again: Again | null = null,
  remote: Remote = remoteOfUser(),
): Promise<Resolved> {
  return await resolveTarget(remote, state, {
    rev: again?.commitId ?? rev ?? null,
    url: publisher.url ?? again?.url ?? (again && (state.config.target?.url ?? null)),
    relativePath: publisher.relativePath ?? again?.relativePath ?? null,
    check: options['check'] !== false,
    directory: process.cwd(),
    agents,
    audience: audienceOf({ publisher }),
  });
}

/**
 * The same git, which asks for the commit now if url and commit were given in full, and not only once the session has
 * connected: over ssh the question takes longer than all else. @param over ends the question.
 */
export function remoteAskingNow(
  { publisher: { url } }: Settings,
  options: Readonly<Record<string, unknown>>,
  rev: string | undefined,
  over: AbortSignal,
): Remote {
  const remote = remoteOfUser();
  const parsed = url == null ? null : parseUrl(url, ANY_URL);
  const commitId = rev?.toLowerCase() ?? '';
  if (options['check'] === false || !parsed?.ok || !isCommitId(commitId)) return remote;
  const answer = remote.has(parsed.url, commitId, over);
  answer.catch(() => {}); // Heard by the one who asks.
  const has: Remote['has'] = async (...question) =>
    question[0] === parsed.url && question[1] === commitId ? await answer : await remote.has(...question);
  return { ...remote, has };
}

/** Git with the configuration and credentials of the user who runs this command. */
export const remoteOfUser = () =>
  createRemote({ clock: systemClock, log: createLog({ level: 'silent' }), env: process.env });
