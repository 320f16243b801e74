import type { Credential, RepositoryUrl } from '../../schemas/values.ts';
import { accessTo } from '../run/credentials.ts';
import { gitFailure } from '../run/errors.ts';
import { createGit, type GitSandbox } from '../run/process.ts';

/**
 * Asks the repository at `url` for its refs exactly as an agent would: same credential, same environment, nothing of
 * the caller's. Resolves when it answered. For doctor. @throws FleetError AUTH, HOST_KEY, NOT_FOUND, CREDENTIAL_FILE
 * ...
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
  const said = await createGit(sandbox).run(['ls-remote', '--quiet', '--', url, 'HEAD'], call);
  if (said.exitCode !== 0) throw gitFailure('git ls-remote', said.stderr, 'FETCH_FAILED', url);
}
