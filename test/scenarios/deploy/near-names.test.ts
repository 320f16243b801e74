import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { gitfleet } from '../../support/commands.ts';
import { TestFleet } from '../../support/fleet.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

it('an app that is not there is answered with the one that is probably meant, and with none that is far', async () => {
  fleet = await TestFleet.create(servers.connect(), '/app/web');
  const status = (app: string) => gitfleet(['status', '-z', fleet.zookeeper, '--app', app]);
  const near = await status('/app/webb');
  expect(near).toMatchObject({ exitCode: 7, stdout: '' });
  expect(near.stderr).toContain('/app/webb is not set up on this ZooKeeper; did you mean /app/web?');
  expect((await status('/app/warehouse')).stderr).not.toContain('did you mean');
  expect((await status('/elsewhere/web')).stderr).not.toContain('did you mean');
  // A znode of that name that is no app.
  await fleet.session.ensure('/app/warehouses');
  expect((await status('/app/warehouse')).stderr).not.toContain('did you mean');
});

it('a comparison with nothing, and a canary in words, are refused with what to give', async () => {
  fleet = await TestFleet.create(servers.connect());
  const chosen = await fleet.run('status', '-l', 'zone==');
  expect(chosen).toMatchObject({ exitCode: 2, stdout: '' });
  expect(chosen.stderr).toContain('give the value: zone==VALUE');
  const file = join(fleet.directory, 'policy.yml');
  await writeFile(file, 'canary: one\n');
  const set = await fleet.run('policy', 'set', file);
  expect(set).toMatchObject({ exitCode: 2, stdout: '' });
  expect(set.stderr).toContain(
    'canary: must be a whole number from 1, a share such as 10%, or labels with their values',
  );
  await writeFile(file, 'canary: role=one\n');
  expect(await fleet.run('policy', 'set', file)).toMatchObject({ exitCode: 0 });
});
