import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { type CheckColour, mergeChecks } from './checks.ts';
import { createForgeClient, type ForgeClient } from './client.ts';
import type { Forge } from './forge.ts';
import type { ForgeRepository } from './repository.ts';
import type { HttpReply, Send } from './request.ts';
import { type ForgeState, type ForgeStatus, shortened } from './status.ts';

const shapes = once(() => ({
  created: z.object({ id: z.int() }),
  deployments: z.array(z.object({ id: z.int(), sha: z.string(), status: z.string() })),
  statuses: z.array(z.object({ name: z.string(), status: z.string() })),
}));

/** The states of a deployment and of a commit. */
const STATES: Readonly<Record<ForgeState, string>> = {
  running: 'running',
  success: 'success',
  failure: 'failed',
  superseded: 'canceled',
};
const RED = ['failed', 'canceled', 'skipped'];
const DEFAULT_REF = 'main';

/**
 * GitLab: a deployment of an environment, and a status of the commit. GitLab refuses a state that it has already, which
 * counts as told; so the description of a running deployment stays the first one.
 */
export function createGitLab(repository: ForgeRepository, send: Send): Forge {
  const base = `projects/${encodeURIComponent(repository.path)}`;
  const { environment } = repository.account;

  /** The newest open deployment of the commit; GitLab keeps nothing in it that could name ours. */
  async function openOne(client: ForgeClient, commitId: string): Promise<number | null> {
    const newest = `environment=${encodeURIComponent(environment)}&order_by=id&sort=desc&per_page=20`;
    const found = await client.call('GET', `${base}/deployments?${newest}`, shapes().deployments);
    return found.find(({ sha, status }) => sha === commitId && status === 'running')?.id ?? null;
  }

  async function tellDeployment(client: ForgeClient, { commitId, ref, state }: ForgeStatus): Promise<void> {
    const open = await openOne(client, commitId);
    if (open !== null && state === 'running') return;
    if (open !== null) return client.post(`${base}/deployments/${open}`, { status: STATES[state] }, 'PUT', isThere);
    const body = { environment, sha: commitId, ref: branchOf(ref), tag: isTag(ref), status: STATES[state] };
    await client.post(`${base}/deployments`, body, 'POST', isThere);
  }

  return {
    async tell(status, signal) {
      const client = createForgeClient(repository, send, signal);
      await tellDeployment(client, status);
      const body = {
        state: STATES[status.state],
        name: status.context,
        description: shortened(status.description),
        ...(status.ref === null ? {} : { ref: branchOf(status.ref) }),
        ...(status.logUrl === null ? {} : { target_url: status.logUrl }),
      };
      await client.post(`${base}/statuses/${status.commitId}`, body, 'POST', isThere);
    },
    async readChecks(commitId, signal) {
      const client = createForgeClient(repository, send, signal);
      const found = await client.pages({
        path: (n, size) => `${base}/repository/commits/${commitId}/statuses?per_page=${size}&page=${n}`,
        shape: shapes().statuses,
        entries: (page) => page,
        pageSize: 100,
      });
      return mergeChecks(found.map(({ name, status }) => [name, colourOf(status)] as const));
    },
  };
}

/** GitLab's words for a state that is there already. */
const isThere = ({ status, body }: HttpReply): boolean =>
  status === 400 && /Cannot transition status|already (?:has|been)|Status is the same/i.test(body);

const isTag = (ref: string | null): boolean => ref?.startsWith('refs/tags/') ?? false;
const branchOf = (ref: string | null): string => ref?.replace(/^refs\/(heads|tags)\//, '') ?? DEFAULT_REF;

const colourOf = (status: string): CheckColour =>
  status === 'success' ? 'green' : RED.includes(status) ? 'red' : 'pending';
