import { afterEach, expect, it } from 'vitest';
import { statusOutput } from '../../../schemas/json-output.ts';
import { TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

const ALONE = /answers standalone although 2 hosts are given/;

it('a server that stands alone among several hosts is told by status, by doctor and by the log of an agent', async () => {
  // The other host is away, as in a fleet whose settings name servers that are not one ensemble.
  fleet = await TestFleet.create(servers.connect().replace(/:\d+/, '$&,127.0.0.1:1'));
  const agent = await fleet.startAgent('web-1');
  await fleet.online(1);
  expect((await fleet.run('status')).stdout).toMatch(ALONE);
  const origin = await fleet.origin();
  const commitId = await origin.commit('a', { f: 'a' });
  expect(await fleet.publish({ url: origin.url, commitId })).toMatchObject({ exitCode: 0 });
  expect(await fleet.run('status')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(ALONE) });
  const { stdout } = await fleet.run('status', '--json');
  expect(statusOutput.parse(JSON.parse(stdout)).ensembleTrouble).toMatch(ALONE);
  const doctor = await fleet.run('doctor');
  expect(doctor).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(ALONE) });
  await until('the agent says so', async () => ALONE.test(await agent.log()), 60_000);
});

it('status names the coordinator, and another one after it is gone', async () => {
  fleet = await TestFleet.create(servers.connect());
  const agent = await fleet.startAgent('web-1');
  await fleet.online(1);
  const shown = async () => (await fleet.run('status')).stdout;
  await until('web-1 leads', async () => (await shown()).includes('  coordinator: web-1\n'));
  const origin = await fleet.origin();
  const commitId = await origin.commit('a', { f: 'a' });
  expect(await fleet.publish({ url: origin.url, commitId })).toMatchObject({ exitCode: 0 });
  expect(await shown()).toContain('  coordinator: web-1\n');
  await fleet.startAgent('web-2');
  await fleet.online(2);
  await agent.kill('SIGTERM');
  await until('web-2 leads', async () => (await shown()).includes('  coordinator: web-2\n'));
  const { stdout } = await fleet.run('status', '--json');
  expect(statusOutput.parse(JSON.parse(stdout))).toMatchObject({ coordinator: 'web-2', ensembleTrouble: null });
});
