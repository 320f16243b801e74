import type { Credential, RepositoryUrl } from '../../schemas/values.ts';
import { accessTo } from '../run/credentials.ts';
import { gitError, gitFailure } from '../run/errors.ts';
import { createGit, type GitSandbox } from '../run/process.ts';

/**
 * Lists the refs of the repository at `url` exactly as an agent would: with the same credential and environment, and
 * nothing of the caller's. Resolves if it answered. For `doctor`.
 * @throws FleetError AUTH, HOST_KEY, REPOSITORY_NOT_FOUND, DUMB_HTTP, CREDENTIAL_FILE ...
 */
export async function probeRemote(
  sandbox: GitSandbox,
  url: RepositoryUrl,
  credential: Credential | undefined,
  allowProtocols: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const { config, env, protocols } = await accessTo(url, credential, allowProtocols);
  const call = { config, env, protocols, timeoutMs, cwd: '/' };
  const ask = async (...patterns: string[]) => {
    const said = await createGit(sandbox).run(['ls-remote', '--quiet', '--', url, ...patterns], call);
    if (said.exitCode !== 0) throw gitFailure('git ls-remote', said, 'FETCH_FAILED', url);
    return said.stdout.length > 0;
  };
  if ((await ask('HEAD')) || !/^https?:/.test(url) || (await ask())) return;
  const hint =
    'open the url in a browser: a login or error page also answers so; if the repository is empty, push to it';
  throw gitError('DUMB_HTTP', `${url} answers, but not as a git repository with a branch`, hint);
}
