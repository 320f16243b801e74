import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { probeRemote } from '../../git/host/probe-remote.ts';
import type { GitSandbox } from '../../git/run/process.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { AgentSettings } from '../../schemas/settings/settings.ts';
import { checkAllowed, credentialFor, parseUrl } from '../../schemas/url.ts';
import type { RepositoryUrl } from '../../schemas/values.ts';
import { type Finding, failed, fromError, ok, warning } from './finding.ts';

const ANSWER_MS = 15_000;

/**
 * Whether this agent could fetch: tries the host behind every allowed prefix, and each of these repositories with the
 * agent's own credentials.
 */
export async function checkOrigins(
  agent: AgentSettings,
  repositories: readonly RepositoryUrl[],
  sandbox: GitSandbox,
  clock: Clock,
): Promise<Finding[]> {
  if (agent.allowUrls.length === 0) {
    return [failed('urls', 'no url is allowed, so every target is refused', 'list a prefix in agent.allowUrls')];
  }
  const hosts = await Promise.all(
    agent.allowUrls.map((prefix) => checkPrefix(prefix, credentialFor(agent.credentials, prefix)?.proxy, clock)),
  );
  if (repositories.length === 0) {
    const hint = 'name one to try it as the agent does: gitfleet doctor --url URL';
    return [...hosts, warning('repository', 'nothing is published yet, so no repository was tried', hint)];
  }
  return [...hosts, ...(await Promise.all(repositories.map((url) => checkRepository(agent, url, sandbox))))];
}

async function checkRepository(agent: AgentSettings, url: RepositoryUrl, sandbox: GitSandbox): Promise<Finding> {
  const allowed = checkAllowed(url, { allow: agent.allowUrls });
  if (!allowed.ok) return failed('repository', `${url}: ${allowed.failure.reason}`, allowed.failure.hint);
  const protocols = [...new Set(agent.allowUrls.map((prefix) => prefix.slice(0, prefix.indexOf(':'))))];
  try {
    await probeRemote(sandbox, url, credentialFor(agent.credentials, url), protocols, ANSWER_MS);
    return ok('repository', `${url} answers with the credentials of this agent`);
  } catch (error) {
    return fromError('repository', error);
  }
}

const PORTS: Record<string, number> = { 'https:': 443, 'http:': 80, 'ssh:': 22, 'git:': 9_418 };

/** A prefix need not be a repository, so only its host can be tried, the proxy on the way there, or its directory. */
async function checkPrefix(prefix: string, proxy: string | undefined, clock: Clock): Promise<Finding> {
  const parsed = parseUrl(prefix, { allow: 'any' });
  const url = new URL(parsed.ok ? parsed.url : prefix);
  if (url.protocol === 'file:') {
    const directory = fileURLToPath(url);
    const found = await stat(directory).catch(() => null);
    if (found?.isDirectory()) return ok('urls', `${prefix} is there`);
    return warning(
      'urls',
      `${prefix}: there is no such directory`,
      'make it, or take the prefix out of agent.allowUrls',
    );
  }
  const first = proxy === undefined ? url : new URL(proxy);
  const port = Number(first.port) || (PORTS[first.protocol] ?? 443);
  const host = first.hostname.replace(/^\[|\]$/g, '');
  const where = `${prefix}: ${proxy === undefined ? '' : 'the proxy '}${host} port ${port}`;
  const problem = await dial(host, port, clock);
  if (problem === null) return ok('urls', `${where} answers`);
  const hint =
    proxy === undefined && /^https?:/.test(url.protocol)
      ? 'check the name, DNS and the firewall of this server; if a proxy is needed: agent.credentials[].proxy'
      : 'check the name, DNS and the firewall of this server';
  return warning('urls', `${where}: ${problem}`, hint);
}

/** Null if a connection could be made, else why not. */
function dial(host: string, port: number, clock: Clock): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (problem: string | null) => {
      cancel();
      socket.destroy();
      resolve(problem);
    };
    const cancel = clock.after(5_000, () => end('no answer within 5 s'));
    socket.on('connect', () => end(null));
    socket.on('error', (error) => end(error.message));
  });
}
