import type { Published } from '../fleet/publish-transaction.ts';
import { type Ending, follow } from '../publisher/follow.ts';
import { createProgressLines, publishedLines } from '../publisher/progress-lines.ts';
import { nameAndCommit } from '../publisher/words.ts';
import { systemClock } from '../runtime/clock.ts';
import { clean } from '../runtime/log.ts';
import type { Settings } from '../schemas/settings.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import { EXIT } from './exit-codes.ts';
import { goOnUnheard, say, usage, warn } from './terminal.ts';

const EXIT_OF: Record<Ending, number> = {
  converged: EXIT.converged,
  failed: EXIT.failed,
  superseded: EXIT.conflict,
  'timed-out': EXIT.notConverged,
  nobody: EXIT.notConverged,
};

export interface FollowOptions {
  readonly timeoutMs: number;
  readonly detach: boolean;
  readonly json: boolean;
  readonly by: string;
}

export function followOptions(
  options: Readonly<Record<string, unknown>>,
  { publisher }: Settings,
  by: string,
): FollowOptions {
  if (options['wait'] && options['detach'])
    throw usage('--wait and --detach contradict each other', 'give one of them');
  return {
    timeoutMs: publisher.timeout,
    detach: options['detach'] === true,
    json: options['json'] === true,
    by,
  };
}

/** Says what was published and, unless detached, follows it to its end. Resolves to the exit code of what was seen. */
export async function followPublished(
  session: Session,
  znodes: Znodes,
  published: Published,
  options: FollowOptions,
): Promise<number> {
  // What is to be told is the exit code: a reader that leaves (`gitfleet publish | head -1`) changes nothing about it.
  if (!options.detach) goOnUnheard();
  if (options.json) say(JSON.stringify({ published: published.record, targetVersion: published.targetVersion }));
  else say(...publishedLines(published));
  if (options.detach) return EXIT.converged;

  const interrupted = new AbortController();
  const onInterrupt = () => interrupted.abort();
  process.once('SIGINT', onInterrupt);
  const lines = createProgressLines(published);
  try {
    const parts = { session, znodes, clock: systemClock, by: options.by };
    for await (const progress of follow(parts, published, options.timeoutMs, interrupted.signal)) {
      const { ending, elapsedMs, supersededBy } = progress;
      if (!options.json) {
        if (supersededBy) say(`  ${nameAndCommit(supersededBy)} came instead, by ${clean(supersededBy.author, 100)}`);
        say(...lines.next(progress));
      }
      if (!ending) continue;
      if (options.json) {
        const { state, reached, expected } = progress.verdict;
        const by = supersededBy ? { supersededBy: supersededBy.number } : {};
        say(JSON.stringify({ ending, state, reached, expected, elapsedMs, ...by }));
      }
      return EXIT_OF[ending];
    }
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
  warn('detached: the fleet goes on by itself', 'next: gitfleet status');
  return EXIT.detached;
}
