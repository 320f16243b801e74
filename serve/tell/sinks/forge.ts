import type { Clock } from '../../../runtime/clock.ts';
import { openForge } from '../../forges/open-forge.ts';
import type { ForgeAccount } from '../../forges/repository.ts';
import type { Send } from '../../forges/request.ts';
import type { ForgeState, ForgeStatus } from '../../forges/status.ts';
import { idOf, type ToldEvent, type What } from '../event.ts';
import type { Sink } from '../sink.ts';
import { descriptionOf, wordsOf } from '../text.ts';
import type { ToldView } from '../view.ts';

interface ForgeSinkParts {
  readonly app: string;
  readonly accounts: readonly ForgeAccount[];
  readonly page: string | null;
  readonly send: Send;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** Names the sink of all forges in `told/`; no entry of `serve.notify` may have it. */
export const FORGE_SINK = 'forge';

const STATES: Partial<Record<What, ForgeState>> = {
  begun: 'running',
  proven: 'success',
  failed: 'failure',
  'rolled-back': 'failure',
  aborted: 'failure',
  'timed-out': 'failure',
  superseded: 'superseded',
};
const OPEN = ['running', 'paused', 'halted'];
const PROGRESS_MS = 30_000;

/**
 * The forges of the settings: one opening and one ending of each deployment, in order; between them, at most each 30 s,
 * what has changed. A target whose url belongs to no forge of the settings is told to none.
 */
export function createForgeSink({ app, accounts, page, send, clock }: ForgeSinkParts): Sink {
  let last = { words: '', at: Number.NEGATIVE_INFINITY };
  const statusOf = (number: number, rest: Pick<ForgeStatus, 'commitId' | 'ref' | 'state' | 'description'>) => ({
    ...rest,
    id: idOf(`${app} d-${number}`),
    context: `gitfleet${app}`,
    logUrl: page,
  });

  return {
    name: FORGE_SINK,
    takes: ({ event: { what, deployment } }) =>
      deployment !== null && STATES[what] !== undefined && openForge(deployment.url, accounts, send) !== null,
    async send({ event }, signal) {
      const { deployment, what } = event;
      const state = STATES[what];
      if (deployment === null || state === undefined) return;
      const { number, commitId, ref } = deployment;
      const status = statusOf(number, { commitId, ref, state, description: descriptionIn(event) });
      await openForge(deployment.url, accounts, send)?.tell(status, signal);
      last = { words: '', at: clock.monotonic() };
    },
    async progress(view, signal) {
      const found = progressIn(view);
      if (found === null || found.words === last.words || clock.monotonic() - last.at < PROGRESS_MS) return;
      last = { words: found.words, at: clock.monotonic() };
      const { number, commitId, ref, url, words: description } = found;
      const status = statusOf(number, { commitId, ref, state: 'running', description });
      await openForge(url, accounts, send)?.tell(status, signal);
    },
  };
}

const descriptionIn = ({ deployment, what, reached, expected, agents }: ToldEvent): string =>
  descriptionOf({ number: deployment?.number ?? 0, words: wordsOf(what), reached, expected, agents });

/** How the deployment of an open rollout is going; null: none is open. */
function progressIn({ rollout, history, reached, expected, agents }: ToldView) {
  const record = history.find(({ number }) => number === rollout?.deployment);
  if (rollout === null || record === undefined || !OPEN.includes(rollout.state) || record.outcome !== null) return null;
  const failing = [...agents]
    .filter(([, { standing }]) => standing === 'failed')
    .map(([agentId, { error }]) => ({ agentId, code: error?.code ?? 'FAILED' }));
  const words = rollout.state === 'running' ? '' : rollout.state;
  const { number, ref, target } = record;
  const description = descriptionOf({ number, words, reached, expected, agents: failing });
  return { number, ref, url: target.url, commitId: target.commitId, words: description };
}
