import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { type CheckColour, mergeChecks } from './checks.ts';
import { createForgeClient } from './client.ts';
import type { Forge } from './forge.ts';
import type { ForgeRepository } from './repository.ts';
import type { Send } from './request.ts';
import { type ForgeState, shortened } from './status.ts';

const shape = once(() =>
  z.object({
    statuses: z
      .array(z.object({ context: z.string(), status: z.string(), description: z.string().nullish() }))
      .nullish(),
  }),
);

const STATES: Readonly<Record<ForgeState, string>> = {
  running: 'pending',
  success: 'success',
  failure: 'failure',
  superseded: 'error',
};
/** Gitea gives at most 50 by default. */
const PAGE = 50;

/** Gitea, Forgejo, Codeberg: a status of the commit. Statuses only pile up there, so the newest one is read first. */
export function createGitea(repository: ForgeRepository, send: Send): Forge {
  const base = `repos/${repository.path}`;
  /** The newest status of each context. */
  const statusesOf = (commitId: string, signal: AbortSignal) =>
    createForgeClient(repository, send, signal).pages({
      path: (n, size) => `${base}/commits/${commitId}/status?limit=${size}&page=${n}`,
      shape: shape(),
      entries: ({ statuses }) => statuses ?? [],
      pageSize: PAGE,
    });

  return {
    async tell({ commitId, context, state, description: words, logUrl }, signal) {
      const description = shortened(words);
      const newest = (await statusesOf(commitId, signal)).find((status) => status.context === context);
      if (newest?.status === STATES[state] && newest.description === description) return;
      const target = logUrl === null ? {} : { target_url: logUrl };
      const body = { state: STATES[state], context, description, ...target };
      await createForgeClient(repository, send, signal).post(`${base}/statuses/${commitId}`, body);
    },
    async readChecks(commitId, signal) {
      const found = await statusesOf(commitId, signal);
      return mergeChecks(found.map(({ context, status }) => [context, colourOf(status)] as const));
    },
  };
}

const colourOf = (status: string): CheckColour =>
  status === 'success' ? 'green' : status === 'pending' ? 'pending' : 'red';
