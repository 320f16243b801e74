import { createHash } from 'node:crypto';
import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { type CheckColour, mergeChecks } from './checks.ts';
import { createForgeClient } from './client.ts';
import type { Forge } from './forge.ts';
import type { ForgeRepository } from './repository.ts';
import type { Send } from './request.ts';
import { type ForgeState, shortened } from './status.ts';

const shape = once(() =>
  z.object({ values: z.array(z.object({ key: z.string(), name: z.string().nullish(), state: z.string() })) }),
);

const STATES: Readonly<Record<ForgeState, string>> = {
  running: 'INPROGRESS',
  success: 'SUCCESSFUL',
  failure: 'FAILED',
  superseded: 'STOPPED',
};

/** Bitbucket Cloud: a build status of the commit, one for each key, which a later one replaces. */
export function createBitbucket(repository: ForgeRepository, send: Send): Forge {
  const commitPath = (commitId: string): string => `repositories/${repository.path}/commit/${commitId}`;
  return {
    async tell({ commitId, context, state, description, logUrl }, signal) {
      await createForgeClient(repository, send, signal).post(`${commitPath(commitId)}/statuses/build`, {
        key: keyOf(context),
        name: shortened(context, 255),
        state: STATES[state],
        description: shortened(description),
        // Bitbucket requires one.
        url: logUrl ?? `https://bitbucket.org/${repository.path}/commits/${commitId}`,
      });
    },
    async readChecks(commitId, signal) {
      const found = await createForgeClient(repository, send, signal).pages({
        path: (n, size) => `${commitPath(commitId)}/statuses?pagelen=${size}&page=${n}`,
        shape: shape(),
        entries: ({ values }) => values,
        pageSize: 100,
      });
      // People know a build by its name, programs by its key: both name it.
      const named = found.flatMap(({ key, name, state }) =>
        [...new Set([key, name ?? key])].map((each) => [each, colourOf(state)] as const),
      );
      return mergeChecks(named);
    },
  };
}

/** Bitbucket takes 40 characters. */
const keyOf = (context: string): string =>
  context.length <= 40 ? context : createHash('sha256').update(context).digest('hex').slice(0, 40);

const colourOf = (state: string): CheckColour =>
  state === 'SUCCESSFUL' ? 'green' : state === 'INPROGRESS' ? 'pending' : 'red';
