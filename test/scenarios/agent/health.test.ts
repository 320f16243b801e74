import { readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type AgentHome, agentHome, type Life, shown, startLife } from '../../support/agent/agent-process.ts';
import { type GivenSettings, type Origin, shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
let service: Server;
const lives = new Set<Life>();
afterEach(async () => {
  await Promise.all([...lives].map((life) => life.kill('SIGKILL')));
  lives.clear();
  service.close();
  await fleet.stop();
});

/** An agent beside a service that answers with the status that the served release names. */
async function beside(
  rule: object,
  more: GivenSettings['agent'] = {},
): Promise<{ home: AgentHome; origin: Origin; life: Life }> {
  fleet = await TestFleet.create(servers.connect());
  service = createServer((_, answer) => {
    try {
      answer.statusCode = Number(readFileSync(join(home.root, 'shop/status'), 'utf8'));
    } catch {
      answer.statusCode = 503;
    }
    answer.end();
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/up`;
  const health = { checks: [{ http: url }], interval: '100ms', rise: 2, healthyFor: '200ms', start: '300ms', ...rule };
  const home = agentHome(fleet, 'web-1', { health, ...more });
  const life = live(home);
  await fleet.online(1);
  return { home, origin: await fleet.origin(), life };
}

function live(home: AgentHome, environment: Record<string, string> = {}): Life {
  const life = startLife(home, environment);
  lives.add(life);
  return life;
}

const publish = (origin: Origin, commitId: string, ...more: string[]) =>
  fleet.publish({ url: origin.url, commitId }, ...more);
const journalOf = async (home: AgentHome) => JSON.parse(await readFile(join(home.appState, 'journal.json'), 'utf8'));

describe('a health check that fails', () => {
  it('takes the release back at once, also without ZooKeeper and origin, and is remembered over a restart', async () => {
    const { home, origin, life } = await beside(
      {},
      { onRollback: { command: ['sh', '-c', 'echo $GITFLEET_FAILED_COMMIT > ../../said'] } },
    );
    const a = await origin.commit('a', { status: '200' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    const b = await origin.commit('b', { status: '500' });
    const failed = await publish(origin, b);
    expect(failed).toMatchObject({ exitCode: 1 });
    expect(failed.stdout).toContain('HEALTH_FAILED');
    expect(failed.stdout).toContain('answered 500');
    expect(await shownCommit(home.root, 'shop')).toBe(a);
    expect(await readFile(join(home.app, 'said'), 'utf8')).toBe(`${b}\n`);
    const report = await fleet.report('web-1');
    expect(report).toMatchObject({ phase: 'failed', activeCommit: a, error: { code: 'HEALTH_FAILED', next: 'stall' } });
    expect((await journalOf(home)).releases).toMatchObject({ [a]: { endedWell: true }, [b]: { endedWell: false } });
    await life.kill('SIGTERM');
    live(home);
    await fleet.reported('web-1', 'the same', (found) => found.phase === 'failed' && found.at > (report?.at ?? 0));
    expect(shown(home, 'shop')).toBe(a);
    // The same commit published again is another target: it is tried again, and fails again.
    expect(await publish(origin, b)).toMatchObject({ exitCode: 1 });
    const swaps = (await readFile(home.logFile, 'utf8')).match(/"swapped back"/g);
    expect(swaps).toHaveLength(2);
    const c = await origin.commit('c', { status: '204' });
    expect(await publish(origin, c)).toMatchObject({ exitCode: 0 });
  });

  it('goes back though ZooKeeper went away in between', async () => {
    const { home, origin } = await beside({ start: '3s', fall: 2 });
    const a = await origin.commit('a', { status: '200' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    const b = await origin.commit('b', { status: '500' });
    expect(await publish(origin, b, '--detach')).toMatchObject({ exitCode: 0 });
    await until('b is shown', async () => shown(home, 'shop') === b);
    await servers.first.kill('SIGKILL');
    await until('a is back', async () => shown(home, 'shop') === a);
    await servers.first.restart();
    await fleet.reported('web-1', 'it', (found) => found.error?.code === 'HEALTH_FAILED', 60_000);
  });

  it('goes back though its agent was killed as well, and no ZooKeeper tells it what is wanted', async () => {
    const { home, origin, life } = await beside({ start: '1h', deadline: '5s' });
    const a = await origin.commit('a', { status: '200' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    const b = await origin.commit('b', { status: '500' });
    expect(await publish(origin, b, '--detach')).toMatchObject({ exitCode: 0 });
    await until('b is shown', async () => shown(home, 'shop') === b);
    await servers.first.kill('SIGKILL');
    await life.kill('SIGKILL');
    live(home);
    await until('a is back', async () => shown(home, 'shop') === a);
    await servers.first.restart();
    await fleet.reported('web-1', 'it', (found) => found.error?.code === 'HEALTH_FAILED', 60_000);
  });
});

describe('a wait for health', () => {
  it('is ended by the newest target, and what was not proven is nothing to return to', async () => {
    const { home, origin } = await beside({ start: '1h', deadline: '2h' });
    const a = await origin.commit('a', { status: '200' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    const b = await origin.commit('b', { status: '500' });
    expect(await publish(origin, b, '--detach')).toMatchObject({ exitCode: 0 });
    await fleet.reported('web-1', 'that it looks', (found) => found.phase === 'checking' && found.activeCommit === b);
    const c = await origin.commit('c', { status: '200' });
    expect(await publish(origin, c)).toMatchObject({ exitCode: 0 });
    expect((await journalOf(home)).releases[b]).toMatchObject({ endedWell: false });
  });

  it('goes on after kill -9, and so does the way back', async () => {
    const { home, origin, life } = await beside({ start: '1h', deadline: '2h', fall: 1 });
    const a = await origin.commit('a', { status: '200' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    const b = await origin.commit('b', { status: '500' });
    expect(await publish(origin, b, '--detach')).toMatchObject({ exitCode: 0 });
    await fleet.reported('web-1', 'that it looks', (found) => found.phase === 'checking');
    await life.kill('SIGKILL');
    const settings = JSON.parse(await readFile(home.args[3] as string, 'utf8'));
    settings.agent.health.start = '0s';
    await writeFile(home.args[3] as string, JSON.stringify(settings));
    const second = live(home, { FAILPOINT: 'back.intended' });
    expect(await second.ended).toBe('SIGKILL');
    expect(shown(home, 'shop')).toBe(b);
    live(home);
    await fleet.reported('web-1', 'the failure', (found) => found.phase === 'failed' && found.activeCommit === a);
    expect((await journalOf(home)).reversal).toBeNull();
  });

  it('does not go back to a release that somebody deleted, and links never lead nowhere', async () => {
    const { home, origin, life } = await beside({ start: '1h', deadline: '2h', fall: 1 });
    const [a, b] = [await origin.commit('a', { status: '200' }), await origin.commit('b', { status: '500' })];
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    expect(await publish(origin, b, '--detach')).toMatchObject({ exitCode: 0 });
    await fleet.reported('web-1', 'that it looks', (found) => found.phase === 'checking');
    await life.kill('SIGKILL');
    const settings = JSON.parse(await readFile(home.args[3] as string, 'utf8'));
    settings.agent.health.start = '0s';
    await writeFile(home.args[3] as string, JSON.stringify(settings));
    expect(await live(home, { FAILPOINT: 'revert.intended' }).ended).toBe('SIGKILL');
    expect((await journalOf(home)).reversal).toMatchObject({ back: a });
    await rm(join(home.app, 'releases', a), { recursive: true });
    live(home);
    const report = await fleet.reported('web-1', 'the failure', (found) => found.phase === 'failed');
    expect(report.error?.reason).toContain('still shown, nothing proven to go back to');
    expect(await shownCommit(home.root, 'shop')).toBe(b);
  });
});
