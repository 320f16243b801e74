import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { readFleet } from '../../fleet/fleet-view.ts';
import { publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { shownTargets } from '../../publisher/shown-target.ts';
import { ANY_URL, parseTarget } from '../../schemas/target.ts';
import type { Backup } from '../support/zookeeper/fake/server.ts';
import { type Fleet, REPOSITORY } from './fleet.ts';

/** ZooKeeper comes up on the data of an earlier moment, or on none: a backup is restored, or a disk was lost. */
export function loseData(fleet: Fleet, to: Backup | 'nothing'): void {
  const { zookeeper, servers, checker, tell, trouble, world } = fleet;
  // The number of requests is no part of a story.
  const where = to === 'nothing' || world.steady ? '' : ` to zxid ${to.zxid.toString(16)}`;
  tell(to === 'nothing' ? 'ZooKeeper is wiped' : `ZooKeeper is set back${where}`);
  trouble();
  zookeeper.restore(to);
  for (const { line } of servers) line.cut();
  fleet.cutPeople();
  checker.lostData(servers);
}

/** As long as an agent may take to be online again where its app was gone, and to report. */
const BACK_AGAIN_MS = 90_000;

/**
 * A person does what `gitfleet status` says after that: `gitfleet init` where the app is gone, the policy again, and
 * `gitfleet publish --again`. Resolves once that is done, or nobody shows anything.
 */
export async function publishAgain(fleet: Fleet, policy: Buffer): Promise<void> {
  const { people, paths, clock, tell } = fleet;
  const made = await initApp(people, paths, openAccess);
  if (made.made.includes(paths.policy)) await people.set(paths.policy, policy, -1);
  await clock.sleep(BACK_AGAIN_MS);
  const [shown] = shownTargets(await readFleet(people, paths));
  if (!shown) return tell('publish --again: no agent shows a commit');
  const { commitId, relativePath } = shown;
  tell(`publish --again: ${commitId.slice(0, 7)}, which ${shown.agents} show`);
  const members = { url: REPOSITORY, commitId, relativePath };
  const judged = parseTarget(Buffer.from(JSON.stringify(members)), ANY_URL);
  if (!judged.ok) throw new Error(judged.failure.reason);
  const parts = {
    session: people,
    znodes: paths,
    access: openAccess,
    now: clock.now,
    newNonce: () => `again-${clock.now()}`,
  };
  const request = { target: judged.target, by: 'ann', reason: 'again', via: 'publish', force: true } as const;
  await publishTarget(parts, await readSharedState(people, paths), request);
}
