import { mkdirSync, writeFileSync } from 'node:fs';
import type { Agent } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../../library/index.ts';
import { DeployedService } from '../../support/services/deployed.ts';
import { ask, type Load, startLoad } from '../../support/services/load.ts';
import { busySocket, startHaproxy, startNginx } from '../../support/services/proxies.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
const SOAK = process.env['GITFLEET_SOAK'] === '1';
const [AGENTS, PER_SECOND, ROUNDS] = SOAK ? [12, 300, 16] : [4, 100, 2];
/**
 * A proxy that takes so long for one command: longer than an agent needs from leaving to restarting. In a soak many
 * leave at once, and its commands come one after the other.
 */
const BUSY_MS = SOAK ? 100 : 700;
const WIDE_MS = SOAK ? 600_000 : 120_000;

type Steps = (() => Promise<void>)[];
const cleanUp: Steps = [];
const runAll = async (steps: Steps) => {
  for (const step of steps.splice(0).reverse()) await step();
};
afterEach(() => runAll(cleanUp));

/** @param ends where it notes how it is ended. */
async function behindHaproxy(
  given: { agents?: number; atMost?: string; busyMs?: number; health?: boolean } = {},
  ends = cleanUp,
) {
  const { agents = AGENTS, atMost = '30s', busyMs = BUSY_MS, health = false } = given;
  const deployed = await DeployedService.start(servers.connect(), { agents, health, drain: { atMost } });
  ends.push(() => deployed.stop());
  const haproxy = await startHaproxy(join(deployed.fleet.directory, 'haproxy'));
  ends.unshift(() => haproxy.stop());
  const busy = await busySocket(haproxy.socket, busyMs);
  ends.unshift(() => busy.stop());
  const writer = await deployed.write(['--haproxy-socket', busy.socket, '--backend', 'shop']);
  return { deployed, port: haproxy.port, writer };
}

/** Callers that have the list in memory, by the library of a user. */
async function withOurClient() {
  const deployed = await DeployedService.start(servers.connect(), { agents: AGENTS });
  cleanUp.push(() => deployed.stop());
  const client = connect({ zookeeper: servers.connect() });
  cleanUp.push(() => client.close());
  const caller = await client.services.caller('shop/web');
  cleanUp.push(() => caller.close());
  await until('all are known', async () => caller.list.instances.length === AGENTS);
  const send = async (agent: Agent | false) =>
    await caller
      .call(async ({ host, port }) => {
        const wrong = await ask(port, agent, null, host);
        if (wrong !== null) throw new Error(wrong);
        return null;
      })
      .catch((error: Error) => error.message);
  return { deployed, send };
}

async function behindNginx({ busyMs = BUSY_MS } = {}) {
  const deployed = await DeployedService.start(servers.connect(), { agents: AGENTS });
  cleanUp.push(() => deployed.stop());
  const directory = join(deployed.fleet.directory, 'nginx');
  mkdirSync(directory);
  const nginx = await startNginx(directory);
  cleanUp.unshift(() => nginx.stop());
  const reload = `sleep ${busyMs / 1_000}; ${nginx.reload}`;
  const args = ['--format', 'nginx', '--out', nginx.include, '--reload', reload, '--pid-file', nginx.pidFile];
  await deployed.write(args);
  return { deployed, nginx };
}

/** Deployments under load, one after the other; each has to end well. */
async function deployUnderLoad(
  deployed: DeployedService,
  to: Parameters<typeof startLoad>[0],
  name: string,
  resends = false,
) {
  const load = startLoad(to, { perSecond: PER_SECOND, resends });
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const { commitId, said } = await deployed.deploy(`${name} ${round}`);
      expect(said).toMatchObject({ exitCode: 0 });
      expect(deployed.served()).toEqual([commitId]);
    }
  } finally {
    await load.stop();
  }
  console.log(`${name}: ${load.failed.length} of ${load.sent} requests failed`);
  return load;
}

/**
 * Each request reached one server, once: none was lost because nginx tried another server, and what the client sent
 * again had reached none.
 */
async function expectOneTryEach(nginx: Awaited<ReturnType<typeof startNginx>>, load: Load): Promise<void> {
  const tries = await nginx.tries();
  console.log(`nginx: ${tries.length} requests passed on for ${load.sent} sent, ${load.resent} of them sent again`);
  expect(tries.filter((servers) => !/^[\d.]+:\d+$/.test(servers))).toEqual([]);
  expect(tries).toHaveLength(load.sent);
}

async function setPolicy(deployed: DeployedService): Promise<void> {
  const file = join(deployed.fleet.directory, 'policy.yml');
  writeFileSync(file, 'canary: 1\nmaxParallel: 50%\n');
  expect(await deployed.fleet.run('policy', 'set', file)).toMatchObject({ exitCode: 0 });
}

describe('a deployment under load, with no sleep in any setting', { timeout: WIDE_MS }, () => {
  describe('behind HAProxy', () => {
    const ends: Steps = [];
    let behind: Awaited<ReturnType<typeof behindHaproxy>>;
    beforeAll(async () => {
      behind = await behindHaproxy({}, ends);
    });
    afterAll(() => runAll(ends));

    it('by a plain push: no request is lost', async () => {
      const load = await deployUnderLoad(behind.deployed, behind.port, 'haproxy, push');
      expect(load.failed).toEqual([]);
      expect(load.sent).toBeGreaterThan(PER_SECOND);
    });

    it('by a policy with waves: no request is lost', async () => {
      await setPolicy(behind.deployed);
      const load = await deployUnderLoad(behind.deployed, behind.port, 'haproxy, policy');
      expect(load.failed).toEqual([]);
      expect(load.sent).toBeGreaterThan(PER_SECOND);
    });
  });

  it('behind nginx, which is reloaded: no request is lost', async () => {
    const { deployed, nginx } = await behindNginx();
    const load = await deployUnderLoad(deployed, nginx.port, 'nginx, push', true);
    expect(load.failed).toEqual([]);
    expect(load.sent).toBeGreaterThan(PER_SECOND);
    await expectOneTryEach(nginx, load);
  });

  it('behind nginx by a policy with waves: no request is lost', async () => {
    const { deployed, nginx } = await behindNginx({ busyMs: 0 });
    await setPolicy(deployed);
    const load = await deployUnderLoad(deployed, nginx.port, 'nginx, policy', true);
    console.log(`drains behind nginx: ${(await deployed.drains()).map(Math.round).join(', ')} ms`);
    expect(load.failed).toEqual([]);
    expect(load.sent).toBeGreaterThan(PER_SECOND);
  });

  it('called by our own client, on kept connections and new ones: no request is lost', async () => {
    const { deployed, send } = await withOurClient();
    const load = await deployUnderLoad(deployed, send, 'our client, push');
    const drains = await deployed.drains();
    expect(drains.length).toBeGreaterThanOrEqual(AGENTS);
    // What a drain costs beyond the 5 ms of a request; on a machine with other work it tells little.
    console.log(`drains for our client: ${drains.map(Math.round).join(', ')} ms`);
    expect(load.failed).toEqual([]);
    expect(load.sent).toBeGreaterThan(PER_SECOND);
  });

  it('of a commit that fails its health checks goes back on every server: no request is lost', async () => {
    const { deployed, port } = await behindHaproxy({ agents: SOAK ? AGENTS : 3, health: true });
    await setPolicy(deployed);
    const good = await deployed.deploy('good');
    expect(good.said).toMatchObject({ exitCode: 0 });
    const load = startLoad(port, { perSecond: PER_SECOND });
    const bad = await deployed.deploy('bad');
    await load.stop();
    expect(bad.said.exitCode).toBe(3);
    expect(deployed.served()).toEqual([good.commitId]);
    await expect.poll(() => deployed.listed(), { timeout: 20_000 }).toHaveLength(deployed.names.length);
    console.log(`bad commit: ${load.failed.length} of ${load.sent} requests failed`);
    expect(load.failed).toEqual([]);
  });

  it('whose writer is frozen goes on at atMost, names who did not acknowledge, and loses requests', async () => {
    const { deployed, port, writer } = await behindHaproxy({ agents: 2, atMost: '300ms' });
    writer.kill('SIGSTOP');
    const load = await deployUnderLoad(deployed, port, 'frozen writer');
    expect(load.failed.length).toBeGreaterThan(0);
    expect(await deployed.fleet.agents[0]?.log()).toContain('drained, not acknowledged by all');
    const named = /shop\/web: not acknowledged by \S+-[0-9a-f]{8}: backend shop of \S+ on \S+/;
    expect((await deployed.fleet.run('status')).stdout).toMatch(
      new RegExp(`${named.source} \\(drain of web-1, web-2\\)`),
    );
    expect((await deployed.fleet.run('status', 'web-1')).stdout).toMatch(named);
    const { agents } = JSON.parse((await deployed.fleet.run('status', '--json')).stdout);
    expect(agents[0].report.unacknowledged).toMatchObject([{ service: 'shop/web', count: 1 }]);
  });
});
