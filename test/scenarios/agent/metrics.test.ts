import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(async () => {
  await fleet.stop();
});

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function ask(port: number, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

/** The value of one series, named without the label that all have. */
const value = (text: string, series: string): string | undefined =>
  text
    .split('\n')
    .find((line) =>
      line
        .replace(/app="[^"]*"/, '')
        .replace(/\{,/, '{')
        .replace(/,\}/, '}')
        .replace('{}', '')
        .startsWith(`${series} `),
    )
    ?.split(' ')
    .at(-1);

it('an agent that is asked tells how it does, on loopback only', async () => {
  fleet = await TestFleet.create(servers.connect());
  const origin = await fleet.origin();
  const port = await freePort();
  const settings = { agent: { listen: port, activate: { command: ['/bin/sh', '-c', 'test ! -e bad'] } } };
  const agent = await fleet.startAgent('web-1', { settings });
  await until('the agent listens', async () => (await ask(port, '/healthz')).status === 200);

  const good = await origin.commit('a', { f: 'a' });
  expect((await fleet.publish({ url: origin.url, commitId: good })).exitCode).toBe(0);
  const served = await until('settled', async () => {
    const { text } = await ask(port, '/metrics');
    return value(text, 'gitfleet_settled') === '1' && text;
  });
  expect(value(served, `gitfleet_active_commit_info{commit="${good}",path="shop"}`)).toBe('1');
  expect(value(served, `gitfleet_desired_commit_info{commit="${good}",deployment="1",path="shop"}`)).toBe('1');
  expect(value(served, 'gitfleet_stage_duration_seconds_count{stage="swap"}')).toBe('1');
  expect(value(served, 'gitfleet_zookeeper_session_state{state="connected"}')).toBe('1');
  const success = Number(value(served, 'gitfleet_last_success_timestamp_seconds'));
  expect(Math.abs(Date.now() / 1_000 - success)).toBeLessThan(60);
  const health = JSON.parse((await ask(port, '/healthz')).text);
  expect(health).toMatchObject({
    alive: true,
    doing: `serves ${good.slice(0, 10)}`,
    session: 'connected',
    stuck: null,
    presence: 'held',
    presenceProblem: null,
  });

  const bad = await origin.commit('b', { bad: '' });
  expect((await fleet.publish({ url: origin.url, commitId: bad })).exitCode).not.toBe(0);
  const { text } = await ask(port, '/metrics');
  expect(value(text, 'gitfleet_stage_failures_total{stage="activate",code="ACTIVATE_FAILED"}')).toBe('1');
  expect(value(text, 'gitfleet_failing{code="ACTIVATE_FAILED"}')).toBe('1');
  expect(value(text, 'gitfleet_settled')).toBe('0');
  // What is no longer desired is no series any more.
  expect(text).not.toContain(`gitfleet_desired_commit_info{commit="${good}"`);

  expect(value(text, 'gitfleet_waiting')).toBe('0');
  await writeFile(join(fleet.directory, 'policy.yml'), 'canary: role=nobody\n');
  expect(await fleet.run('policy', 'set', 'policy.yml')).toMatchObject({ exitCode: 0 });
  await fleet.publish({ url: origin.url, commitId: await origin.commit('c', { f: 'c' }) }, '--detach');
  await until('it waits for its permit', async () => {
    return value((await ask(port, '/metrics')).text, 'gitfleet_waiting') === '1';
  });

  expect((await ask(port, '/nothing')).status).toBe(404);
  expect((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST', body: 'x' })).status).toBe(405);
  await agent.kill('SIGTERM');
  await expect(ask(port, '/healthz')).rejects.toThrow();
});

it('a port that is taken, and an address beyond this machine without a token, are refused at the start', async () => {
  fleet = await TestFleet.create(servers.connect());
  const taken = createServer();
  const port = await new Promise<number>((resolve) =>
    taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port)),
  );
  const agent = await fleet.startAgent('web-1', { settings: { agent: { listen: `127.0.0.1:${port}` } } });
  await until('it ended', async () => agent.process.exitCode !== null);
  expect(await agent.log()).toContain('LISTEN');
  const open = await fleet.startAgent('web-2', { settings: { agent: { listen: '0.0.0.0:9180' } } });
  await until('it ended', async () => open.process.exitCode === 2);
  expect(await open.log()).toContain('reachable from other machines, so listenTokenFile is required');
  taken.close();
});
