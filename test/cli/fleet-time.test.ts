import { expect, it } from 'vitest';
import { timeToWrite } from '../../cli/deploy/fleet-time.ts';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { znodes } from '../../schemas/znodes.ts';
import { ANY_VERSION } from '../../zookeeper/session.ts';
import { realKit } from '../support/zookeeper/kit.ts';

const kit = realKit();

it('without a clock it says whether there is no app, or one that an earlier gitfleet made', async () => {
  const session = kit.open(kit.connect());
  const paths = znodes('/app/no-clock');
  const refused = async () => await timeToWrite(session, paths).catch((error: unknown) => error);
  expect(await refused()).toMatchObject({
    code: 'APP_MISSING',
    message: '/app/no-clock is not set up on this ZooKeeper',
  });
  await initApp(session, paths, openAccess);
  await session.remove(paths.clock, ANY_VERSION);
  expect(await refused()).toMatchObject({
    code: 'APP_MISSING',
    message: expect.stringContaining('was set up by an earlier gitfleet'),
    hint: expect.stringContaining('run once more'),
  });
  await initApp(session, paths, openAccess);
  expect(Math.abs((await timeToWrite(session, paths)).now() - Date.now())).toBeLessThan(60_000);
});
