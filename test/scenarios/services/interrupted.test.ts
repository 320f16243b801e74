import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { gitfleet } from '../../support/commands.ts';
import { DeployedService } from '../../support/services/deployed.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let deployed: DeployedService;
afterEach(() => deployed.stop());

/**
 * One server whose drain ends when `open` is called: its command waits for that, and notes what it is told. Far below
 * the bound of a drain the registration has to be back.
 */
async function draining() {
  const [gate, told] = [join('/dev/shm', `gate-${process.pid}`), join('/dev/shm', `told-${process.pid}`)];
  writeFileSync(gate, '');
  rmSync(told, { force: true });
  const script = `echo "$GITFLEET_COMMIT" >> ${told}; while [ -e ${gate} ]; do sleep 0.05; done`;
  deployed = await DeployedService.start(servers.connect(), {
    agents: 1,
    drain: { atMost: '10m', command: ['sh', '-c', script] },
  });
  const { fleet } = deployed;
  const file = join(fleet.directory, 'policy.yml');
  writeFileSync(file, 'maxParallel: 1\ndeadline: 10m\n');
  expect(await fleet.run('policy', 'set', file)).toMatchObject({ exitCode: 0 });
  const open = () => rmSync(gate, { force: true });
  const deploying = deployed.deploy('one').finally(open);
  await until('the drain command runs', async () => existsSync(told));
  expect(await deployed.listed()).toEqual([]);
  const isBack = async () => (await deployed.listed()).length === 1;
  return { fleet, deploying, open, told, isBack };
}

describe('a server whose drain waits', () => {
  it('waits for drain.command, which is told the commit, and swaps then', async () => {
    const { deploying, open, told, isBack } = await draining();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(deployed.served()).toEqual(['none']);
    expect(await deployed.listed()).toEqual([]);
    open();
    const { commitId, said } = await deploying;
    expect(said).toMatchObject({ exitCode: 0 });
    expect(readFileSync(told, 'utf8')).toBe(`${commitId}\n`);
    expect(deployed.served()).toEqual([commitId]);
    await until('it is back', isBack);
  });

  it('is back at once after an abort', async () => {
    const { fleet, deploying, isBack } = await draining();
    expect(await fleet.run('abort', '-m', 'not now')).toMatchObject({ exitCode: 0 });
    await until('it is back', isBack, 15_000);
    expect((await deploying).said.exitCode).not.toBe(0);
    expect(deployed.served()).toEqual(['none']);
  });

  it('is back at once after another target, which it refuses', async () => {
    const { fleet, deploying, isBack } = await draining();
    const refused = { url: 'https://elsewhere.example.com/x', commitId: 'a'.repeat(40), relativePath: 'shop' };
    await fleet.session.set(fleet.znodes.config, Buffer.from(JSON.stringify(refused)), -1);
    await until('it is back', isBack, 15_000);
    await deploying;
    expect(deployed.served()).toEqual(['none']);
  });

  it('is back at once when a person suspends the server', async () => {
    const { fleet, open, deploying, isBack } = await draining();
    const agent = fleet.agents[0];
    const places = ['--root', agent?.root ?? '', '--state', agent?.state ?? '', '--id', 'web-1', '--app', fleet.app];
    const suspended = await gitfleet(['agent', 'suspend', ...places, '-z', fleet.zookeeper, '-m', 'a look']);
    expect(suspended).toMatchObject({ exitCode: 0 });
    await until('it is back', isBack, 15_000);
    expect(deployed.served()).toEqual(['none']);
    open();
    expect(await fleet.run('abort', '-m', 'enough')).toMatchObject({ exitCode: 0 });
    await deploying;
  });
});
