import { chmod, chown, copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Finding, failed, findingLines, ok, warning } from '../../cli/doctor/finding.ts';
import { checkGround } from '../../cli/doctor/ground.ts';
import { checkNode } from '../../cli/doctor/programs.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Ran } from '../support/commands.ts';
import { gitfleet } from '../support/commands.ts';
import { TestFleet } from '../support/fleet.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const fleets: TestFleet[] = [];
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.stop();
});

async function newFleet(options = { open: true }): Promise<TestFleet> {
  // A closed app keeps open ones out of the folder above it.
  const fleet = await TestFleet.create(servers.connect(), options.open ? undefined : '/closed/shop', options);
  fleets.push(fleet);
  return fleet;
}

const findings = ({ stdout }: Ran): Finding[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const wrong = (ran: Ran) => findings(ran).filter(({ verdict }) => verdict === 'fail');

describe('doctor', () => {
  it('finds nothing wrong where an agent serves, and asks its repository as the agent would', async () => {
    const fleet = await newFleet();
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    const agent = await fleet.startAgent('web-1');
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    const here = ['--root', agent.root, '--state', agent.state, '--id', 'web-1'];
    const allow = ['--allow-url', `file://${fleet.directory}`];
    const ran = await fleet.run('doctor', ...here, ...allow, '--json');
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    const said = Object.fromEntries(findings(ran).map(({ check, verdict, says }) => [check, `${verdict} ${says}`]));
    expect(said).toMatchObject({
      rights: 'warn everyone who reaches this ZooKeeper can deploy',
      target: `ok ${commitId.slice(0, 12)} at shop`,
      agent: 'ok it runs',
      owner: 'ok the root belongs to web-1',
      repository: `ok ${origin.url} answers with the credentials of this agent`,
    });
    expect(said['state']).toMatch(/^ok .*mode 0700/);
    expect(said['clock']).toMatch(
      /^ok 0\.\d s apart from ZooKeeper's; at a loopback address, that may be the same clock$/,
    );
    const preload = join(import.meta.dirname, '../support/shifted-clock.cjs');
    const env = { NODE_OPTIONS: `--require=${preload}`, SHIFT_MS: '-3600000' };
    const behind = await gitfleet(['doctor', '-z', fleet.zookeeper, '--app', fleet.app, '--json'], { env });
    expect(findings(behind).find(({ check }) => check === 'clock')).toMatchObject({
      verdict: 'warn',
      says: "this machine's clock is 60 min behind ZooKeeper's",
    });

    // The same server as another agent, with nothing allowed, a state directory open to all and the repository gone.
    await chmod(agent.state, 0o755);
    await rename(origin.bare, `${origin.bare}.away`);
    const other = await fleet.run('doctor', ...here.with(-1, 'web-9'), ...allow, '--json');
    expect(other.exitCode).toBe(1);
    expect(wrong(other).map(({ check }) => check)).toEqual(['state', 'owner', 'repository']);
    expect(wrong(other).find(({ check }) => check === 'owner')?.says).toBe(
      'the root belongs to agent web-1, we are web-9',
    );
    // It runs: nobody is told to take its root from it.
    const hintOf = (ran: Ran) => wrong(ran).find(({ check }) => check === 'owner')?.hint;
    const named =
      'if that is the agent of this server, look again with --id web-1; else give this agent a root of its own';
    expect(hintOf(other)).toBe(named);
    await agent.kill('SIGTERM');
    const ended = await fleet.run('doctor', ...here.with(-1, 'web-9'), ...allow, '--json');
    expect(hintOf(ended)).toBe(`${named}; if that agent is gone for good, remove ${agent.root}/.gitfleet/owner`);
    const refused = await fleet.run('doctor', ...here, '--json');
    expect(wrong(refused).map(({ check }) => check)).toContain('urls');
    await chmod(agent.state, 0o700);
  });

  it('checks as the user of the agent if root runs it, and tries a repository before anything is published', async () => {
    expect(process.geteuid?.(), 'only root can become another user').toBe(0);
    const fleet = await newFleet({ open: false });
    const origin = await fleet.origin();
    await origin.commit('a', { f: 'a' });
    const at = (name: string) => join(fleet.directory, name);
    const auth = at('agent.auth');
    await copyFile(join(fleet.directory, 'gitfleet-credentials/agent.auth'), auth);
    for (const name of ['state', 'root']) {
      await mkdir(at(name), { mode: 0o700 });
      await chown(at(name), 65_534, 65_534);
    }
    await chmod(fleet.directory, 0o755);
    await writeFile(at('key'), 'no key', { mode: 0o600 });
    const prefix = 'ssh://git@git.example.invalid/srv';
    const settings = (sshKeyFile: string, knownHosts: string) => ({
      zookeeper: { connect: fleet.zookeeper, authFile: auth },
      app: fleet.app,
      agent: {
        ...{ root: at('root'), state: at('state'), id: 'web-1' },
        allowUrls: [`file://${fleet.directory}`, prefix],
        credentials: [{ prefix, sshKeyFile, knownHosts }],
      },
    });
    const file = at('gitfleet.yml');
    const doctor = (...more: string[]) => gitfleet(['doctor', '--settings', file, '--json', ...more]);
    const fails = (ran: Ran) => wrong(ran).map(({ check, says }) => `${check}: ${says}`);

    await writeFile(file, JSON.stringify(settings(at('key'), at('no-hosts'))));
    const first = await doctor();
    expect(first.exitCode).toBe(1);
    expect(findings(first).find(({ check }) => check === 'user')?.says).toContain('the user of the agent, uid 65534');
    expect(fails(first)).toEqual([
      `credential: SETTINGS: ${auth} cannot be read: EACCES: permission denied`,
      `credentials: sshKeyFile ${at('key')} cannot be read by uid 65534: EACCES`,
      `credentials: knownHosts ${at('no-hosts')} cannot be read by uid 65534: ENOENT`,
    ]);
    expect(findings(first).find(({ check }) => check === 'repository')).toMatchObject({
      verdict: 'warn',
      says: 'nothing is published yet, so no repository was tried',
    });

    // As secrets are mounted: of root, and its group may read.
    await chown(auth, 0, 65_534);
    await chmod(auth, 0o440);
    await chown(at('key'), 65_534, 65_534);
    await writeFile(at('hosts'), '', { mode: 0o644 });
    await writeFile(file, JSON.stringify(settings(at('key'), at('hosts'))));
    expect(await doctor()).toMatchObject({ exitCode: 0 });

    // A repository that the agent's user cannot read, which root could.
    await chmod(origin.bare, 0o700);
    const refused = await doctor('--url', origin.url);
    expect(refused.exitCode).toBe(1);
    expect(fails(refused)).toEqual([expect.stringMatching(/^repository: /)]);
  });

  it('knows a server that has too many connections, and says what timeout the servers grant', async () => {
    const full = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => full.listen(0, '127.0.0.1', resolve));
    const at = `127.0.0.1:${(full.address() as AddressInfo).port}`;
    const refused = await gitfleet(['doctor', '-z', at, '--json']);
    full.close();
    const of = (ran: Ran, check: string) => findings(ran).find((one) => one.check === check);
    expect(of(refused, 'zookeeper')).toMatchObject({
      verdict: 'fail',
      says: expect.stringContaining('too many connections'),
      hint: expect.stringMatching(/^raise maxClientCnxns/),
    });
    expect(of(refused, 'session')?.says).toContain('maxClientCnxns');
    const fleet = await newFleet();
    const session = async (timeout: string) =>
      of(
        await gitfleet(['doctor', '-z', fleet.zookeeper, '--app', fleet.app, '--json'], {
          env: { GITFLEET_SESSION_TIMEOUT: timeout },
        }),
        'session',
      );
    expect(await session('5m')).toMatchObject({
      verdict: 'warn',
      says: expect.stringMatching(/session timeout \d+ s, though 300 s were asked for/),
    });
  });

  it('warns of nodes among the agents that nothing reads', async () => {
    const fleet = await newFleet();
    await fleet.session.create(`${fleet.znodes.agents}/no agent`, Buffer.alloc(0), 'persistent');
    const found = findings(await fleet.run('doctor', '--json')).find(({ check }) => check === 'agents');
    expect(found).toMatchObject({ verdict: 'warn', says: "1 node is ignored: its name is no agent's" });
  });

  it('fails on a state directory of another user than the one that checks', async () => {
    const fleet = await newFleet();
    const [state, root] = [join(fleet.directory, 'state'), join(fleet.directory, 'root')];
    await mkdir(state, { mode: 0o700 });
    await chown(state, 65_534, 65_534);
    const settings = { app: fleet.app, agent: { id: 'web-1', state, root } };
    const [found] = await checkGround(settings as Parameters<typeof checkGround>[0], systemClock);
    expect(found).toMatchObject({
      verdict: 'fail',
      says: `${state} belongs to the user with uid 65534; checked as uid 0, which may not use it`,
    });
  });

  it('says where the settings come from; a file named on the command line comes before variables', async () => {
    const fleet = await newFleet();
    const file = join(fleet.directory, 'named.yml');
    await writeFile(file, JSON.stringify({ zookeeper: { connect: fleet.zookeeper }, app: fleet.app }));
    const env = { GITFLEET_ZOOKEEPER: '127.0.0.1:1', GITFLEET_LOG_LEVEL: 'warn' };
    const said = (ran: Ran) =>
      findings(ran)
        .filter(({ check }) => check === 'settings')
        .map(({ verdict, says }) => `${verdict} ${says}`);
    const named = await gitfleet(['doctor', '--settings', file, '--json'], { env });
    expect(named.exitCode).toBe(0);
    expect(said(named)).toEqual([
      `ok log.level from GITFLEET_LOG_LEVEL; the rest from ${file}`,
      `warn GITFLEET_ZOOKEEPER is set and not used: ${file}, named with --settings, gives zookeeper.connect`,
    ]);
    const flag = await gitfleet(['doctor', '-z', fleet.zookeeper, '--json'], {
      env: { ...env, GITFLEET_SETTINGS: file },
    });
    expect(said(flag)).toEqual([
      `ok zookeeper.connect from --zookeeper; log.level from GITFLEET_LOG_LEVEL; the rest from ${file}`,
    ]);
  });

  it('warns where a commit could read the credential of the coordinator', async () => {
    const fleet = await newFleet({ open: false });
    const at = (name: string) => join(fleet.directory, name);
    const authFile = (role: string) => join(fleet.directory, `gitfleet-credentials/${role}.auth`);
    const settings = (allowRepositorySteps: boolean) => ({
      zookeeper: { connect: fleet.zookeeper, authFile: authFile('agent') },
      app: fleet.app,
      agent: { root: at('root'), state: at('state'), allowUrls: [`file://${fleet.directory}`], allowRepositorySteps },
      coordinator: { authFile: authFile('coordinator') },
    });
    for (const allowed of [true, false]) {
      await writeFile(at('gitfleet.yml'), JSON.stringify(settings(allowed)));
      const ran = await gitfleet(['doctor', '--settings', at('gitfleet.yml'), '--json']);
      const steps = findings(ran).filter(({ check }) => check === 'steps');
      expect(steps.map(({ verdict }) => verdict)).toEqual(allowed ? ['warn'] : []);
    }
  });

  it('names znodes that everyone may change, that have other rights, and that are missing', async () => {
    const fleet = await newFleet({ open: false });
    const as = (role: string) => ['--auth-file', join(fleet.directory, 'gitfleet-credentials', `${role}.auth`)];
    for (const [role, exitCode, fails] of [
      ['operator', 0, []],
      ['publisher', 0, []],
      // Without a root this machine is there to publish, and these may not.
      ['agent', 1, ['publish']],
      ['viewer', 1, ['publish']],
    ]) {
      const ran = await fleet.run('doctor', ...as(String(role)), '--json');
      expect([role, ran.exitCode, wrong(ran).map(({ check }) => check)]).toEqual([role, exitCode, fails]);
    }
    const ran = await fleet.run('doctor', '--json');
    expect(ran.exitCode).toBe(1);
    expect(wrong(ran)[0]?.says).toContain('NO_AUTH');

    const { znodes } = fleet;
    const other = await newFleet();
    // As somebody would who made them by hand.
    const open = [{ scheme: 'world', id: 'anyone', permissions: 'cdrwa' }];
    const operator = other.session;
    await operator.setAcl(other.znodes.hold, [{ scheme: 'world', id: 'anyone', permissions: 'r' }], -1);
    await operator.create(other.znodes.permit('web-1'), Buffer.alloc(0), 'persistent', { acl: open });
    await operator.remove(other.znodes.policy, -1);
    const mixed = await gitfleet(['doctor', '-z', fleet.zookeeper, '--app', other.app, ...as('operator'), '--json']);
    expect(mixed.exitCode).toBe(1);
    const says = wrong(mixed).map((finding) => finding.says);
    expect(says.find((words) => words.startsWith('everyone may change'))).toContain(other.znodes.deployments);
    expect(says).toContain(`other rights than init gives: ${other.znodes.hold}`);
    expect(says).toContain(`missing: ${other.znodes.policy}`);
    expect(znodes.app).not.toBe(other.app);
  });

  it('says what to do where the app, ZooKeeper or the settings are wrong, with exit codes that tell', async () => {
    const fleet = await newFleet();
    const missing = await gitfleet(['doctor', '-z', fleet.zookeeper, '--app', '/app/nothing']);
    expect(missing.exitCode).toBe(1);
    expect(missing.stdout).toContain('gitfleet init --app /app/nothing');
    expect(missing.stdout).toMatch(/1 of \d+ checks FAILED/);

    const nobody = await gitfleet(['doctor', '-z', '127.0.0.1:1']);
    expect(nobody.exitCode).toBe(1);
    expect(nobody.stdout).toContain('127.0.0.1:1: the connection was refused (ECONNREFUSED)');
    expect(nobody.stdout).toContain('see who answers: gitfleet zk status -z 127.0.0.1:1\n');
    expect(nobody.stdout).toMatch(/warn {2}clock +not compared with ZooKeeper's: it gives no session/);

    const config = await fleet.session.get(fleet.znodes.config);
    await fleet.session.set(fleet.znodes.config, Buffer.from('{"url":1}'), config?.stat.version ?? 0);
    const refused = await fleet.run('doctor', '--json');
    expect(wrong(refused).map(({ check }) => check)).toEqual(['target']);

    const file = join(fleet.directory, 'bad.yml');
    await mkdir(fleet.directory, { recursive: true });
    await writeFile(file, 'agent:\n  rot: /srv\n');
    const bad = await fleet.run('doctor', '--settings', file);
    expect(bad).toMatchObject({ exitCode: 2, stdout: '' });
    expect(bad.stderr).toContain('rot');
  });
});

describe('its words', () => {
  it('put the verdict last and hints below what they are for, escapes made visible', () => {
    const lines = findingLines('web-1', [
      ok('node', 'v20'),
      warning('disk', '1 GiB\u001b[31m', 'make room'),
      failed('session', 'none', 'start it'),
    ]);
    expect(lines.join('\n')).toMatch(
      /^web-1\n {2}ok {4}node {5}v20\n {2}warn {2}disk {5}1 GiB[^\u001b]+\n {17}make room\n/,
    );
    expect(lines.at(-1)).toBe('1 of 3 checks FAILED, 1 warning: fix the first one first, others may follow from it');
  });
  it('know which node is old', () => {
    expect(checkNode('20.18.3').verdict).toBe('fail');
    expect(checkNode('18.20.4').verdict).toBe('fail');
    expect(checkNode('20.19.0').verdict).toBe('ok');
    expect(checkNode('22.0.0').verdict).toBe('ok');
  });
});
