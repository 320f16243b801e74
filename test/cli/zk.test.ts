import { afterEach, describe, expect, it } from 'vitest';
import { gitfleet } from '../support/commands.ts';
import { type Started, start } from '../support/started.ts';
import { until } from '../support/until.ts';

const running: Started[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.cleanUp();
});

/** `gitfleet zk up`, serving; resolves with the connect string that it printed. */
async function zkUp(servers: 1 | 3): Promise<{ up: Started; connect: string }> {
  const up = await start(['zk', 'up', '--servers', String(servers)]);
  running.push(up);
  await up.prints(/^Ctrl-C stops it$/m);
  const [, connect = ''] = /^ZooKeeper serves: (\S+)$/m.exec(up.said) ?? [];
  return { up, connect };
}

const status = (connect: string, ...more: string[]) => gitfleet(['zk', 'status', '-z', connect, ...more]);
const pidsOf = (up: Started) => [...up.said.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
const isThere = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('zk up', () => {
  it.each([1, 3] as const)('with %i serves, ends on Ctrl-C with exit 0, and leaves nothing', async (count) => {
    const { up, connect } = await zkUp(count);
    expect(connect).toMatch(/^127\.0\.0\.1:\d+(,127\.0\.0\.1:\d+)*$/);
    expect(connect.split(',').length).toBe(count);
    expect(up.said).toContain(`next: gitfleet init --open -z ${connect}`);
    expect((await gitfleet(['init', '--open', '-z', connect])).exitCode).toBe(0);
    const pids = pidsOf(up);
    expect(pids.length).toBe(count);
    expect(pids.every(isThere)).toBe(true);
    up.kill('SIGINT');
    expect(await up.ended).toBe(0);
    expect(up.said.trimEnd()).toMatch(/nothing is left$/);
    await up.leavesNothing();
    expect(pids.filter(isThere)).toEqual([]);
  });

  it('ends on SIGTERM, and while its servers start, likewise', async () => {
    const { up } = await zkUp(1);
    up.kill('SIGTERM');
    expect(await up.ended).toBe(0);
    await up.leavesNothing();
    const early = await start(['zk', 'up', '--servers', '3']);
    running.push(early);
    await until('a server starts', async () =>
      (await early.left()).some((what) => /^process \d+: \S*java /.test(what)),
    );
    early.kill('SIGINT');
    expect(await early.ended).toBe(0);
    await early.leavesNothing();
  });

  it('killed with -9 takes its servers along', async () => {
    const { up, connect } = await zkUp(3);
    const pids = pidsOf(up);
    up.kill('SIGKILL');
    expect(await up.ended).toBe('SIGKILL');
    await until('its servers are gone', async () => !pids.some(isThere));
    await until('every process is gone', async () => !(await up.left()).some((what) => what.startsWith('process ')));
    expect((await status(connect)).exitCode).toBe(7);
  });

  it.each([
    [['--servers', '2'], '1 or 3'],
    [['--servers', 'three'], '1 or 3'],
    [['--port', '0'], 'port'],
    [['--port', '65535', '--servers', '3'], 'port'],
  ])('takes %j as usage', async (args, words) => {
    const said = await gitfleet(['zk', 'up', ...args]);
    expect(said).toMatchObject({ exitCode: 2, stdout: '' });
    expect(said.stderr).toContain(words);
  });

  it('names what to install where there is no Java, or ZOOKEEPER_HOME holds no server', async () => {
    const noJava = await gitfleet(['zk', 'up'], { env: { PATH: '' } });
    expect(noJava).toMatchObject({ exitCode: 1, stdout: '' });
    expect(noJava.stderr).toMatch(
      /NO_ZOOKEEPER[\s\S]*apt-get install --no-install-recommends .*openjdk-17-jre-headless/,
    );
    const nowhere = { PATH: '', ZOOKEEPER_HOME: '/nonexistent/zookeeper' };
    const noHome = await gitfleet(['zk', 'up'], { env: nowhere });
    expect(noHome).toMatchObject({ exitCode: 1, stdout: '' });
    expect(noHome.stderr).toContain('ZOOKEEPER_HOME is /nonexistent/zookeeper');
    expect(noHome.stderr).toContain('lib/zookeeper-<version>.jar');
  });
});

describe('zk status', () => {
  it('shows leader and followers of an ensemble, and who of several hosts stands alone', async () => {
    const [ensemble, alone] = await Promise.all([zkUp(3), zkUp(1)]);
    const hosts = ensemble.connect.split(',');
    const whole = await status(ensemble.connect);
    expect(whole).toMatchObject({ exitCode: 0, stderr: '' });
    const roles = whole.stdout
      .trimEnd()
      .split('\n')
      .map((line) => /^(\S+) {2}(\w+) {2}version \d/.exec(line));
    expect(roles.map((role) => role?.[1])).toEqual(hosts);
    expect(roles.map((role) => role?.[2]).toSorted()).toEqual(['follower', 'follower', 'leader']);

    const single = await status(alone.connect);
    expect(single.stdout).toMatch(/^\S+ {2}standalone {2}version \S+\n$/);
    const json = await status(ensemble.connect, '--json');
    const parsed = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { port: number });
    expect(parsed.map(({ port }) => `127.0.0.1:${port}`)).toEqual(hosts);

    const mixed = await status(`${ensemble.connect},${alone.connect}`);
    expect(mixed.stdout).toContain(`${alone.connect} answers standalone although 4 hosts are given`);
    expect(mixed.exitCode).toBe(1);
    expect(mixed.stdout).toContain('zoo.cfg');
    for (const host of hosts) expect(mixed.stdout).not.toContain(`${host} answers standalone`);

    alone.up.kill('SIGINT');
    await alone.up.ended;
    const partly = await status(`${ensemble.connect},${alone.connect}`);
    expect(partly).toMatchObject({ exitCode: 0 });
    expect(partly.stdout).toContain(`${alone.connect} is unreachable`);
    expect(partly.stdout).not.toContain('answers standalone');
    const none = await status(alone.connect);
    expect(none.exitCode).toBe(7);
    expect(none.stdout).toContain('unreachable');
  });
});
