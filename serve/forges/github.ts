import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { type CheckColour, mergeChecks } from './checks.ts';
import { createForgeClient, type ForgeClient } from './client.ts';
import type { Forge } from './forge.ts';
import type { ForgeRepository } from './repository.ts';
import type { Send } from './request.ts';
import { type ForgeState, type ForgeStatus, shortened } from './status.ts';

const shapes = once(() => ({
  created: z.object({ id: z.int() }),
  deployments: z.array(z.object({ id: z.int(), payload: z.unknown() })),
  statuses: z.array(z.object({ state: z.string(), description: z.string().nullish() })),
  combined: z.object({ statuses: z.array(z.object({ context: z.string(), state: z.string() })) }),
  runs: z.object({
    check_runs: z.array(z.object({ name: z.string(), status: z.string(), conclusion: z.string().nullish() })),
  }),
}));

/** The states of a deployment and of a commit. */
const STATES: Readonly<Record<ForgeState, readonly [deployment: string, commit: string]>> = {
  running: ['in_progress', 'pending'],
  success: ['success', 'success'],
  failure: ['failure', 'failure'],
  superseded: ['inactive', 'error'],
};

/** GitHub, and GitHub Enterprise: a deployment with its statuses, and a status of the commit. */
export function createGitHub(repository: ForgeRepository, send: Send): Forge {
  const base = `repos/${repository.path}`;
  const { environment } = repository.account;

  /** The deployment that carries our id, made if there is none: two processes, or one after a crash, make one. */
  async function deploymentOf(client: ForgeClient, { id, commitId, description }: ForgeStatus): Promise<number> {
    const asked = `${base}/deployments?sha=${commitId}&environment=${encodeURIComponent(environment)}&per_page=100`;
    const found = await client.call('GET', asked, shapes().deployments);
    const own = found.find(({ payload }) => idIn(payload) === id);
    if (own !== undefined) return own.id;
    const made = await client.call('POST', `${base}/deployments`, shapes().created, {
      ref: commitId,
      task: 'deploy',
      auto_merge: false,
      required_contexts: [],
      environment,
      description: shortened(description),
      payload: { gitfleet: id },
    });
    return made.id;
  }

  return {
    async tell(status, signal) {
      const client = createForgeClient(repository, send, signal);
      const [state, ofCommit] = STATES[status.state];
      const description = shortened(status.description);
      const deployment = await deploymentOf(client, status);
      const path = `${base}/deployments/${deployment}/statuses`;
      const [newest] = await client.call('GET', `${path}?per_page=1`, shapes().statuses);
      if (newest?.state !== state || newest.description !== description) {
        const logUrl = status.logUrl === null ? {} : { log_url: status.logUrl };
        await client.post(path, { state, environment, description, ...logUrl, auto_inactive: true });
      }
      const target = status.logUrl === null ? {} : { target_url: status.logUrl };
      await client.post(`${base}/statuses/${status.commitId}`, {
        state: ofCommit,
        context: status.context,
        description,
        ...target,
      });
    },
    async readChecks(commitId, signal) {
      const client = createForgeClient(repository, send, signal);
      const commit = `${base}/commits/${commitId}`;
      const runs = await client.pages({
        path: (n, size) => `${commit}/check-runs?filter=latest&per_page=${size}&page=${n}`,
        shape: shapes().runs,
        entries: ({ check_runs }) => check_runs,
        pageSize: 100,
      });
      const statuses = await client.pages({
        path: (n, size) => `${commit}/status?per_page=${size}&page=${n}`,
        shape: shapes().combined,
        entries: (page) => page.statuses,
        pageSize: 100,
      });
      return mergeChecks([
        ...runs.map(({ name, status, conclusion }) => [name, colourOfRun(status, conclusion)] as const),
        ...statuses.map(({ context, state }) => [context, colourOf(state)] as const),
      ]);
    },
  };
}

/** GitHub gives a payload back as the object, and older servers as its JSON text. */
function idIn(payload: unknown): unknown {
  try {
    const value = typeof payload === 'string' ? JSON.parse(payload) : payload;
    return (value as { gitfleet?: unknown } | null)?.gitfleet;
  } catch {
    return undefined;
  }
}

const colourOfRun = (status: string, conclusion: string | null | undefined): CheckColour =>
  status !== 'completed' ? 'pending' : conclusion === 'success' || conclusion === 'neutral' ? 'green' : 'red';

const colourOf = (state: string): CheckColour =>
  state === 'success' ? 'green' : state === 'pending' ? 'pending' : 'red';
