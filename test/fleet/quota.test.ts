import { expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { QUOTA, setQuota } from '../../fleet/enrolment/quota.ts';
import { znodes } from '../../schemas/znodes.ts';
import { until } from '../support/until.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();
const OPEN = openAccess.of('app');

it('is one that the servers understand: they count what lies below the app, and write it down', async () => {
  const [hosts = '', chroot] = servers.connect().split('/');
  const session = open(hosts);
  const paths = znodes(`/${chroot}/shop`);
  await initApp(session, paths, openAccess);
  expect(await setQuota(session, paths.app, OPEN)).toBe(true);
  const read = async (name: string) => String((await session.get(`/zookeeper/quota${paths.app}/${name}`))?.data);
  expect(await read('zookeeper_limits')).toBe(`count=${QUOTA.znodes},bytes=${QUOTA.bytes}`);
  const counted = async () => Number(/^count=(\d+)/.exec(await read('zookeeper_stats'))?.[1]);
  const before = await until('the servers counted', async () => (await counted()) || null);
  await session.create(paths.presence('web-1'), Buffer.from('x'), 'persistent');
  expect(await counted()).toBe(before + 1);
});

it('leaves a quota that is there, above the app too', async () => {
  const [hosts = '', chroot] = servers.connect().split('/');
  const session = open(hosts);
  const quota = `/zookeeper/quota/${chroot}`;
  await session.ensure(`/${chroot}/shop`);
  await session.ensure(quota);
  await session.create(`${quota}/zookeeper_limits`, Buffer.from('count=7,bytes=-1'), 'persistent');
  expect(await setQuota(session, `/${chroot}/shop`, OPEN)).toBe(false);
  expect(await session.exists(`${quota}/shop`)).toBeNull();
});
