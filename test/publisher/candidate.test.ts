import { beforeEach, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { readDeployment } from '../../fleet/history.ts';
import { writeOutcome } from '../../fleet/outcome.ts';
import { publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { findRollback } from '../../publisher/rollback.ts';
import type { Outcome } from '../../schemas/deployment.ts';
import { targetOf } from '../../schemas/target.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();
let session: Session;
let paths: Znodes;
let count = 0;

beforeEach(async () => {
  paths = znodes(`/app/candidate${++count}`);
  session = open(servers.connect());
  await initApp(session, paths, openAccess);
  const parts = { session, znodes: paths, access: openAccess, now: () => 1, newNonce: () => `n${Math.random()}` };
  for (const letter of ['a', 'b']) {
    const target = targetOf({ url: 'https://h.example.com/r.git', commitId: letter.repeat(40), relativePath: 'shop' });
    const request = { target, by: 'ann', reason: '', via: 'publish' as const };
    await publishTarget(parts, await readSharedState(session, paths), request);
  }
});

const ended = (state: Outcome['state'], reached: number): Outcome => ({
  ...{ state, at: 1, reached, expected: 3, missing: [], by: 'ann' },
});

it('names the candidate where nothing is proven', async () => {
  await writeOutcome({ session, znodes: paths, access: openAccess }, 1, ended('failed', 2));
  await expect(findRollback(session, paths, null)).rejects.toMatchObject({
    code: 'NOTHING_PROVEN',
    hint: 'the newest one before it is aaaaaaaaaa: failed, 2/3 agents: gitfleet rollback d-1',
  });
});

it('goes to one that was proven late: a failed outcome gives way to proven and to nothing else', async () => {
  await writeOutcome({ session, znodes: paths, access: openAccess }, 1, ended('failed', 2));
  expect(await writeOutcome({ session, znodes: paths, access: openAccess }, 1, ended('superseded', 2))).toBe(false);
  expect(await writeOutcome({ session, znodes: paths, access: openAccess }, 1, ended('proven', 3))).toBe(true);
  expect(await writeOutcome({ session, znodes: paths, access: openAccess }, 1, ended('failed', 0))).toBe(false);
  expect((await readDeployment(session, paths, 1))?.outcome).toMatchObject({
    ...{ state: 'proven', reached: 3 },
    reason: 'proven late, after it had failed',
  });
  expect(await findRollback(session, paths, null)).toMatchObject({ number: 1 });
});
