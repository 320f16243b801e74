import { randomUUID } from 'node:crypto';
import { recordForeign } from '../fleet/publish-transaction.ts';
import { readSharedState } from '../fleet/shared-state.ts';
import { publish } from '../publisher/publish.ts';
import { findRollback } from '../publisher/rollback.ts';
import { systemClock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import { deploymentName } from '../schemas/deployment.ts';
import { ANY_URL, parseTarget } from '../schemas/target.ts';
import { znodes } from '../schemas/znodes.ts';
import { author } from './author.ts';
import { followOptions, followPublished } from './follow-published.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say, usage } from './terminal.ts';
import { withSession } from './with-session.ts';

/** `gitfleet rollback [d-N]`: publishes an earlier deployment's target as a new deployment. */
export async function run({ options, words }: Call): Promise<number> {
  const wanted = words[0] === undefined ? null : Number(/^d-([1-9]\d*)$/.exec(words[0])?.[1] ?? Number.NaN);
  if (Number.isNaN(wanted))
    throw usage(`${JSON.stringify(words[0])} is no deployment`, 'such as d-12; gitfleet history shows them');
  const settings = await readSettings(options);
  const by = author(process.env);
  const following = followOptions(options, settings, by);
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const parts = { session, znodes: paths, access, now: () => systemClock.now(), newNonce: randomUUID };
    const since = await recordForeign(parts, await readSharedState(session, paths));
    const to = await findRollback(session, paths, wanted);
    const judged = parseTarget(Buffer.from(JSON.stringify(to.target)), ANY_URL);
    if (!judged.ok) throw new FleetError(judged.failure);
    const published = await publish(parts, since, {
      target: judged.target,
      author: by,
      reason: (options['message'] as string | undefined) ?? `back to ${deploymentName(to.number)}`,
      via: 'rollback',
      returnsTo: to.returnsTo ?? to.number,
    });
    const exitCode = await followPublished(session, paths, published, following);
    if (to.ref?.startsWith('refs/heads/') && !following.json && published.previous) {
      const undone = published.previous.target.commitId;
      say(`the branch still contains what was undone: git revert ${undone.slice(0, 12)}`);
    }
    return exitCode;
  });
}
