import { expect, it } from 'vitest';
import { findingLines } from '../../cli/doctor/finding.ts';
import { checkServices } from '../../cli/doctor/services.ts';
import { parseSettings } from '../../schemas/settings/settings.ts';
import { openServiceAccess } from '../../services/access.ts';
import { encodeRegistration, serviceZnodes } from '../../services/contract.ts';
import { makeService } from '../../services/make-service.ts';
import { fakeKit } from '../support/zookeeper/kit.ts';

const kit = fakeKit();
const paths = serviceZnodes('shop/web');

async function found(isClosed: boolean, files: readonly string[] = []) {
  const serviceFiles = files.map((out) => ({ service: 'shop/web', format: 'json', out }));
  const agent = { root: '/srv', services: [{ name: 'shop/web', port: 80 }], serviceFiles };
  const settings = parseSettings({ zookeeper: { connect: 'x:1' }, agent }, 'web-1');
  const findings = await checkServices(settings, kit.open(kit.connect()), isClosed);
  return findingLines('', findings).slice(1, -1);
}

it('doctor says whether a service was made, who is registered, and who may register', async () => {
  const session = kit.open(kit.connect());
  for (const path of ['/service', '/service-fleet']) await session.removeTree(path);
  expect(await found(false)).toEqual(['  ok    shop/web  the first registration makes this service']);
  expect(await found(true)).toEqual([
    '  FAIL  shop/web  this service was not made: nothing can be registered',
    '                  an operator types: gitfleet init --service shop/web',
  ]);
  await makeService(session, 'shop/web', openServiceAccess);
  const address = { host: '10.0.0.1', port: 80 };
  await session.create(paths.registration('foreign'), encodeRegistration(address), 'ephemeral');
  expect(await found(true)).toEqual([
    '  warn  shop/web  1 registered, 1 of them by other programs; this server is not',
    '                  its agent says why in its log; or gitfleet service join',
    '  warn  shop/web  every ZooKeeper client may register instances of this service, and remove them',
    '                  an operator types: gitfleet init --service shop/web',
  ]);
  await session.create(paths.twin('web-1-00000001'), Buffer.alloc(0), 'ephemeral');
  await session.create(paths.registration('web-1-00000001'), encodeRegistration(address), 'ephemeral');
  expect((await found(false))[0]).toContain('2 registered, 1 of them by other programs; this server is one of them');
});

it('doctor says which file of a list cannot be written', async () => {
  const lines = await found(false, ['/dev/shm/list.json', '/nonexistent/list.json']);
  expect(lines.slice(-3)).toEqual([
    '  ok    service file  /dev/shm/list.json can be written',
    '  FAIL  service file  /nonexistent/list.json cannot be written (ENOENT)',
    "                      let the agent's user write to /nonexistent",
  ]);
});
