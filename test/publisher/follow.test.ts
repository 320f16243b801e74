import { beforeEach, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { writeOutcome } from '../../fleet/outcome.ts';
import { type PublishParts, publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { type DeploymentProgress, follow } from '../../publisher/follow.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { targetOf } from '../../schemas/target.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import { proxiesForTest, type TcpProxy } from '../support/proxy.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';
import * as make from './fixtures.ts';

const servers = sharedServer();
const open = sessionsForTest();
const proxied = proxiesForTest();
let paths: Znodes;
let proxy: TcpProxy;
let observer: ReturnType<typeof open>;
let parts: PublishParts;
let count = 0;

beforeEach(async () => {
  paths = znodes(`/app/follow${++count}`);
  observer = open(servers.connect());
  await initApp(observer, paths, openAccess);
  proxy = await proxied(servers);
  const session = open(proxy.connect, { sessionTimeoutMs: 4_000 });
  let nonce = 0;
  parts = { session, znodes: paths, access: openAccess, now: Date.now, newNonce: () => `n${count}-${++nonce}` };
  // Else a follower begins with a look that nothing answers.
  await session.connected();
});

async function publishNow(by: string, digit = 'a') {
  const target = targetOf({ url: 'https://h.example.com/r.git', commitId: digit.repeat(40), relativePath: 'shop' });
  const direct = { ...parts, session: observer };
  const request = { target, by, reason: '', via: 'publish' as const };
  return await publishTarget(direct, await readSharedState(observer, paths), request);
}

/** Ten times as fast as the world, so that ten seconds of nobody are one. */
const hasty: Clock = { ...systemClock, monotonic: () => 10 * systemClock.monotonic() };

async function all(stream: AsyncGenerator<DeploymentProgress>): Promise<DeploymentProgress[]> {
  const seen: DeploymentProgress[] = [];
  for await (const progress of stream) seen.push(progress);
  return seen;
}
const following = (published: Awaited<ReturnType<typeof publishNow>>, timeoutMs: number) =>
  all(follow({ ...parts, clock: hasty, by: 'me' }, published, timeoutMs, new AbortController().signal));

it('does not say that nobody is online while ZooKeeper does not answer', async () => {
  const published = await publishNow('ann');
  await proxy.mode('refuse');
  const looks = following(published, 300_000);
  await systemClock.sleep(6_000);
  await proxy.mode('pass');
  const seen = await looks;
  const last = seen.findLastIndex((progress) => progress.stale);
  expect(seen[last]).toMatchObject({ ending: null, stale: { refusal: null } });
  const fresh = seen.slice(last + 1);
  // Agents come back as we do: the ten seconds begin with the first answer.
  expect(fresh.length).toBeGreaterThan(1);
  expect(fresh.at(-1)).toMatchObject({ ending: 'no-agents' });
});

it('ends as timed out where ZooKeeper stays away', async () => {
  const published = await publishNow('ann');
  await proxy.mode('refuse');
  expect((await following(published, 15_000)).at(-1)).toMatchObject({ ending: 'timed-out', verdict: { expected: 0 } });
});

it('names what superseded, where that has a record', async () => {
  const published = await publishNow('ann');
  await publishNow('bob');
  expect(await following(published, 300_000)).toMatchObject([
    { ending: 'superseded', supersededBy: { number: 2, by: 'bob' } },
  ]);
  await observer.set(paths.config, Buffer.from('{}'), -1);
  expect(await following(published, 300_000)).toMatchObject([{ ending: 'superseded', supersededBy: null }]);
});

it('names the way back that rollback takes, and not what was there before', async () => {
  const judged = { at: 1, reached: 1, expected: 1, missing: [], by: '' };
  await publishNow('ann', 'a');
  await writeOutcome({ ...parts, session: observer }, 1, { ...judged, state: 'proven' });
  await publishNow('ann', 'b');
  await writeOutcome({ ...parts, session: observer }, 2, { ...judged, state: 'failed' });
  const published = await publishNow('ann', 'b');
  const error = { code: 'ACTIVATE_FAILED', reason: 'r', hint: 'h', next: 'stall' } as const;
  const said = make.agent('web-1', { targetVersion: published.targetVersion, phase: 'failed', error }).report;
  await observer.create(paths.report('web-1'), Buffer.from(JSON.stringify(said)), 'persistent');
  expect((await following(published, 300_000)).at(-1)).toMatchObject({ ending: 'failed', wayBack: { number: 1 } });
});
