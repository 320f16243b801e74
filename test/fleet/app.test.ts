import { expect, it } from 'vitest';
import { openAccess, ROLES, type RoleIds, roleAccess } from '../../fleet/access.ts';
import { initApp, onlineInOpenApp } from '../../fleet/app.ts';
import { wrongRights } from '../../fleet/rights.ts';
import { znodes } from '../../schemas/znodes.ts';
import { digestId } from '../../zookeeper/acl.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();

it('closing an open app closes what publishers, coordinators and agents made in it', async () => {
  const paths = znodes('/app/shop');
  const anybody = open(servers.connect());
  await initApp(anybody, paths, openAccess);
  const made = [paths.deployment(1), paths.deployment(2), paths.permit('web-1')];
  const content = Buffer.from('precious');
  for (const path of [...made, paths.report('web-1')]) await anybody.create(path, content, 'persistent');

  const ids = Object.fromEntries(ROLES.map((role) => [role, digestId(role, 'secret')])) as RoleIds;
  const access = roleAccess(ids);
  const operator = open(servers.connect(), { auth: [{ scheme: 'digest', credential: 'operator:secret' }] });
  const own = digestId('web-2', 'secret');
  await operator.create(paths.report('web-2'), content, 'persistent', { acl: access.of('report', own) });
  await initApp(operator, paths, access);

  for (const path of made) {
    await expect(anybody.set(path, Buffer.alloc(0), -1), path).rejects.toMatchObject({ code: 'NO_AUTH' });
    expect((await operator.get(path))?.data).toEqual(content);
  }
  expect((await operator.getAcl(paths.deployment(1)))?.acl).toEqual(access.of('deployment'));
  expect((await operator.getAcl(paths.permit('web-1')))?.acl).toEqual(access.of('permit'));
  // The open report goes, its agent writes it again with its own rights; one with such rights stays as it is.
  expect(await operator.children(paths.agents)).toEqual(['web-2']);
  expect((await operator.getAcl(paths.report('web-2')))?.acl).toEqual(access.of('report', own));
  // Again: nothing is lost.
  await initApp(operator, paths, access);
  expect(await operator.children(paths.agents)).toEqual(['web-2']);
});

it('an app is open where everybody may change it, not where everybody may only read', async () => {
  const anybody = open(servers.connect());
  const trial = znodes('/app/trial');
  await initApp(anybody, trial, openAccess);
  await anybody.create(trial.presence('web-1'), Buffer.alloc(0), 'persistent');
  expect(await onlineInOpenApp(anybody, trial)).toBe(1);

  const ids = Object.fromEntries(ROLES.map((role) => [role, digestId(role, 'secret')])) as RoleIds;
  const everybodyReads = { scheme: 'world', id: 'anyone', permissions: 'r' } as const;
  const operator = open(servers.connect(), { auth: [{ scheme: 'digest', credential: 'operator:secret' }] });
  const shown = znodes('/shown/shop');
  await initApp(operator, shown, { of: (kind) => [...roleAccess(ids).of(kind), everybodyReads] });
  expect(await onlineInOpenApp(anybody, shown)).toBeNull();
  await initApp(operator, trial, roleAccess(ids));
  expect(await onlineInOpenApp(anybody, trial)).toBeNull();
  expect(await onlineInOpenApp(anybody, znodes('/nothing/here'))).toBeNull();
});

it('an open app of an earlier version, which lacks later znodes, is open all the same', async () => {
  const paths = znodes('/app/earlier');
  const anybody = open(servers.connect());
  await initApp(anybody, paths, openAccess);
  for (const path of [paths.flags, paths.flagChanges, paths.audit]) await anybody.removeTree(path);
  expect(await onlineInOpenApp(anybody, paths)).toBe(0);
});

it('a credential file of before there were flaggers finds no wrong rights where they have theirs', async () => {
  const paths = znodes('/app/grown');
  const ids = Object.fromEntries(ROLES.map((role) => [role, digestId(role, 'secret')])) as RoleIds;
  const operator = open(servers.connect(), { auth: [{ scheme: 'digest', credential: 'operator:secret' }] });
  const agent = open(servers.connect(), { auth: [{ scheme: 'digest', credential: 'agent:secret' }] });
  await initApp(operator, paths, roleAccess(ids));
  const { flagger: _, ...older } = ids;
  for (const session of [operator, agent]) expect(await wrongRights(session, paths, roleAccess(older))).toEqual([]);
  await operator.setAcl(paths.flags, roleAccess(older).of('flags'), -1);
  expect(await wrongRights(agent, paths, roleAccess(ids))).toEqual([{ path: paths.flags, how: 'differs' }]);
});
