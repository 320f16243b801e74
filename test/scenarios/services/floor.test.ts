import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { serviceJoinedOutput, serviceLeftOutput } from '../../../services/output.ts';
import { DeployedService } from '../../support/services/deployed.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let deployed: DeployedService;
afterEach(() => deployed.stop());

/** The fewest instances that the list had, as a watcher sees it. */
function watchFewest() {
  const stop = new AbortController();
  const seen = { fewest: Number.POSITIVE_INFINITY };
  const watching = (async () => {
    const list = deployed.fleet.session.watchChildren('/service/shop/web', { signal: stop.signal });
    for await (const item of list) if (item.exists) seen.fewest = Math.min(seen.fewest, item.names.length);
  })();
  return {
    seen,
    async stop() {
      stop.abort();
      await watching;
    },
  };
}

const setFloor = (amount: string) => deployed.fleet.run('service', 'set', 'shop/web', '--min-available', amount);

describe('the floor', () => {
  it('holds in a plain push, also while an instance is killed in the middle of it', async () => {
    deployed = await DeployedService.start(servers.connect(), { agents: 4 });
    const watch = watchFewest();
    expect((await deployed.deploy('one')).said).toMatchObject({ exitCode: 0 });
    await deployed.fleet.session.catchUp('/');
    expect(watch.seen.fewest).toBe(2);
    await setFloor('75%');
    watch.seen.fewest = 4;
    const deploying = deployed.deploy('two');
    await until('one has left', async () => watch.seen.fewest === 3);
    await deployed.instance('web-4').stop();
    // Its checks want it out too, and have to wait for their turn like all others.
    expect((await deploying).said).toMatchObject({ exitCode: 0 });
    expect(watch.seen.fewest).toBe(3);
    await watch.stop();
  });

  it('that lets nobody go is awaited with its code, blames no commit, and everything continues when it is lowered', async () => {
    deployed = await DeployedService.start(servers.connect(), { agents: 2 });
    const file = join(deployed.fleet.directory, 'policy.yml');
    writeFileSync(file, 'maxParallel: 1\ndeadline: 3s\n');
    expect(await deployed.fleet.run('policy', 'set', file)).toMatchObject({ exitCode: 0 });
    await setFloor('100%');
    const deploying = deployed.deploy('one');
    const { fleet } = deployed;
    const floored = await until('an agent waits for the floor', async () => {
      const reports = await Promise.all(deployed.names.map((name) => fleet.report(name)));
      return reports.find((report) => report?.error?.code === 'FLOOR');
    });
    expect(floored).toMatchObject({
      phase: 'awaiting',
      waitingFor: 'the floor of shop/web: 1 would remain of 2 known instances, and the floor is 2',
    });
    // Past the deadline of the policy, also as the leader counts it.
    const rollout = await until('the rollout has passed it over', async () => {
      const node = await fleet.session.get(fleet.znodes.rollout);
      const found = node && JSON.parse(String(node.data));
      return found?.lateUnable.length > 0 ? found : null;
    });
    expect(rollout).toMatchObject({ state: 'running', latePermitted: [], failures: [] });
    expect((await fleet.session.get(fleet.znodes.quarantine))?.data.length).toBe(0);
    await setFloor('50%');
    const { said, commitId } = await deploying;
    expect(said).toMatchObject({ exitCode: 0 });
    expect(deployed.served()).toEqual([commitId]);
    expect((await fleet.session.get(fleet.znodes.quarantine))?.data.length).toBe(0);
  });

  it('holds for a person too: leave waits for it, and join puts the server back', async () => {
    deployed = await DeployedService.start(servers.connect(), { agents: 2 });
    const { fleet } = deployed;
    const on = (at: number, verb: 'leave' | 'join', ...more: string[]) => deployed.onServer(`web-${at}`, verb, ...more);
    const first = await on(1, 'leave', '-m', 'new kernel', '--json');
    expect(serviceLeftOutput.parse(JSON.parse(first.stdout))).toMatchObject({ agentId: 'web-1', left: true });
    expect(await deployed.listed()).toHaveLength(1);
    const second = await on(2, 'leave', '-m', 'new kernel', '--timeout', '2s');
    expect(second.exitCode).toBe(4);
    expect(second.stderr).toContain('FLOOR: 0 would remain of 2 known instances, and the floor is 1');
    expect(await deployed.listed()).toHaveLength(1);
    await fleet.agents.find(({ id }) => id === 'web-1')?.restart();
    expect(await on(1, 'join')).toMatchObject({ exitCode: 0 });
    await until('the first is back, and the second goes', async () => {
      const listed = await deployed.listed();
      return listed.length === 1 && listed[0]?.startsWith('web-1-');
    });
    const joined = serviceJoinedOutput.parse(JSON.parse((await on(2, 'join', '--json')).stdout));
    expect(joined.ended?.reason).toBe('new kernel');
    await until('both are back', async () => (await deployed.listed()).length === 2);
  });

  it('holds while two apps roll out at once, an instance is killed and somebody takes a server out', async () => {
    deployed = await DeployedService.start(servers.connect(), { agents: 3 });
    const other = await DeployedService.start(servers.connect(), { agents: 3, prefix: 'app' });
    try {
      for (const { fleet } of [deployed, other]) {
        const file = join(fleet.directory, 'policy.yml');
        writeFileSync(file, 'maxParallel: 100%\nsoak: 0s\n');
        expect(await fleet.run('policy', 'set', file)).toMatchObject({ exitCode: 0 });
      }
      // Of six, four have to stay: two servers at a time, whoever asks.
      await setFloor('60%');
      const watch = watchFewest();
      watch.seen.fewest = 6;
      const deploying = Promise.all([deployed.deploy('one'), other.deploy('two')]);
      await until('some have left', async () => watch.seen.fewest < 6);
      await other.instance('app-3').stop();
      const left = deployed.onServer('web-3', 'leave', '-m', 'new kernel', '--timeout', '60s');
      expect((await deploying).map(({ said }) => said.exitCode)).toEqual([0, 0]);
      expect(await left).toMatchObject({ exitCode: 0 });
      await deployed.fleet.session.catchUp('/');
      expect(watch.seen.fewest).toBe(4);
      for (const { fleet } of [deployed, other]) {
        expect((await fleet.session.get(fleet.znodes.quarantine))?.data.length).toBe(0);
      }
      await watch.stop();
    } finally {
      await other.stop();
    }
  });
});
