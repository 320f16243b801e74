import { mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { agentHome, type Life, startLife } from '../../support/agent/agent-process.ts';
import { git, gitfleet } from '../../support/commands.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { processesIn } from '../../support/processes.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
/** Of the agent that a test started by itself. */
let life: Life | null = null;

afterEach(async () => {
  await life?.kill('SIGTERM');
  life = null;
  await fleet.stop();
});

interface Server {
  readonly agent: TestAgent;
  readonly origin: Origin;
  /** What the steps said since the last look. */
  ran(): Promise<string[]>;
}

/** Each step tells its release, what the link shows while it runs, and what failed; `fail-<step>` in a commit fails it. */
async function server(settings: (program: string) => object): Promise<Server> {
  fleet = await TestFleet.create(servers.connect());
  const [program, log] = [join(fleet.directory, 'step.sh'), join(fleet.directory, 'ran')];
  const link = '$(cat "$GITFLEET_LINK/f" 2>/dev/null || echo nothing)';
  const told = `$GITFLEET_STEP of $(cat f), link shows ${link}\${GITFLEET_FAILED_STEP:+, failed $GITFLEET_FAILED_STEP}`;
  const failing = `[ ! -e "fail-$GITFLEET_STEP" ] || { printf '\\033[31msorry\\033[0m from %s\\a\\n' $GITFLEET_STEP; exit 7; }`;
  await writeFile(program, `#!/bin/sh\necho "${told}" >> ${log}\n${failing}\n`, { mode: 0o755 });
  const agent = await fleet.startAgent('web-1', { settings: { agent: settings(program) } });
  await fleet.online(1);
  let seen = 0;
  const ran = async () => {
    const lines = (await readFile(log, 'utf8').catch(() => '')).split('\n').filter(Boolean);
    const news = lines.slice(seen);
    seen = lines.length;
    return news;
  };
  return { agent, origin: await fleet.origin(), ran };
}

const NAMES = ['prepare', 'preActivate', 'activate', 'onRollback', 'onFailure'];
const everyStep = (program: string) => Object.fromEntries(NAMES.map((name) => [name, { command: [program] }]));
const publish = (origin: Origin, commitId: string) => fleet.publish({ url: origin.url, commitId });
const appState = (agent: TestAgent) => join(agent.state, 'apps', fleet.app.slice(1).replaceAll('/', '+'));
const appRoot = (agent: TestAgent) => join(agent.root, '.gitfleet', fleet.app.slice(1).replaceAll('/', '+'));

describe('steps', () => {
  it('run in their order, and a failure after the swap takes the release back until another is published', async () => {
    const { agent, origin, ran } = await server(everyStep);
    const a = await origin.commit('a', { f: 'a' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    expect(await ran()).toEqual([
      'prepare of a, link shows nothing',
      'pre-activate of a, link shows nothing',
      'activate of a, link shows a',
    ]);
    const b = await origin.commit('b', { f: 'b', 'fail-activate': '' });
    const failed = await publish(origin, b);
    expect(failed).toMatchObject({ exitCode: 1 });
    expect(failed.stdout).toContain('ACTIVATE_FAILED');
    expect(await ran()).toEqual([
      'prepare of b, link shows a',
      'pre-activate of b, link shows a',
      'activate of b, link shows b',
      'on-rollback of a, link shows a, failed activate',
      'activate of a, link shows a, failed activate',
      'on-failure of b, link shows a, failed activate',
    ]);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    const report = await fleet.reported('web-1', 'the failure', (found) => found.phase === 'failed');
    expect(report).toMatchObject({ activeCommit: a, desiredCommit: b, output: 'sorry from activate\n' });
    expect(report.error).toMatchObject({ code: 'ACTIVATE_FAILED', next: 'stall' });
    expect(report.error?.reason).toMatch(/^back on [0-9a-f]{12}: .*exited with 7: sorry from activate/);
    expect(await readFile(join(appState(agent), 'output/activate.log'), 'utf8')).toContain(`(${a}) exited with 0`);

    await agent.restart();
    await until(
      'it says the same again',
      async () => ((await agent.log()).match(/"agent started"/g) ?? []).length === 2,
    );
    await fleet.reported('web-1', 'the failure again', (found) => found.at > report.at && found.phase === 'failed');
    expect(await ran()).toEqual([]);
    // The file that fails it is still there: the next one goes back as well.
    const c = await origin.commit('c', { f: 'c' });
    expect(await publish(origin, c)).toMatchObject({ exitCode: 1 });
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    expect((await ran()).at(-1)).toBe('on-failure of c, link shows a, failed activate');
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    // Shown and well: nothing is to be run.
    expect(await ran()).toEqual([]);
  });

  it('that fail before the swap leave the link alone, and the first release of all has nothing to go back to', async () => {
    const { agent, origin, ran } = await server(everyStep);
    const first = await origin.commit('first', { f: 'first', 'fail-activate': '' });
    expect(await publish(origin, first)).toMatchObject({ exitCode: 1 });
    expect(await shownCommit(agent.root, 'shop')).toBe(first);
    expect((await ran()).slice(3)).toEqual(['on-failure of first, link shows first, failed activate']);
    await rm(join(origin.clone, 'fail-activate'));
    const a = await origin.commit('a', { f: 'a' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    await ran();
    for (const name of ['pre-activate', 'prepare']) {
      const sick = await origin.commit(name, { f: name, [`fail-${name}`]: '' });
      const failed = await publish(origin, sick);
      expect(failed).toMatchObject({ exitCode: 1 });
      expect(failed.stdout).toContain(`${name.replace('-', '_').toUpperCase()}_FAILED`);
      expect(await shownCommit(agent.root, 'shop')).toBe(a);
      expect((await ran()).at(-1)).toBe(`on-failure of ${name}, link shows a, failed ${name}`);
    }
  });

  it('see what they are told and nothing else, and end with all they started at their deadline', async () => {
    const command = ['/bin/sh', '-c', 'env | cut -d= -f1 | sort | tr "\\n" " " > names; echo "\\n$PASSED" >> names'];
    const hangs = { command: ['/bin/sh', '-c', '[ ! -e hang ] || { sleep 600 & sleep 600; }'], timeout: '1s' };
    const settings = {
      prepare: { command },
      activate: hangs,
      passEnvironment: ['PASSED', 'ABSENT'],
      generated: ['names'],
    };
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const agent = agentHome(fleet, 'web-1', settings);
    life = startLife(agent, { PASSED: 'on purpose', KEPT_BACK: 'secret' });
    await fleet.online(1);
    const a = await origin.commit('a', { f: 'a' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    const ours = ['APP', 'COMMIT', 'DEPLOYMENT', 'LINK', 'PREVIOUS_COMMIT', 'RELEASE', 'STEP', 'TARGET_VERSION'];
    const names = ['HOME', 'LANG', 'PASSED', 'PATH', 'PWD', ...ours.map((name) => `GITFLEET_${name}`)].toSorted();
    const [seen, value] = (await readFile(join(agent.root, 'shop/names'), 'utf8')).split('\n');
    const ofTheShell = ['OLDPWD', 'SHLVL', '_'];
    expect(seen?.split(' ').filter((name) => name !== '' && !ofTheShell.includes(name))).toEqual(names);
    expect(value).toBe('on purpose');
    const b = await origin.commit('b', { hang: '' });
    const failed = await publish(origin, b);
    expect(failed.stdout).toMatch(/ACTIVATE_FAILED.*did not end within 1000 ms and was killed/);
    expect(await shownCommitIs(agent, a, ['names'])).toBe(true);
    await until('nothing is left of it', async () =>
      processesIn(fleet.directory).every(({ command }) => !command.startsWith('sleep')),
    );
  });
});

/** Though steps made something in it. */
async function shownCommitIs(
  agent: Pick<TestAgent, 'root'>,
  commitId: string,
  made: readonly string[],
): Promise<boolean> {
  const link = await readlink(join(agent.root, 'shop'));
  const names = await readdir(join(agent.root, 'shop'));
  return link.endsWith(commitId) && made.every((name) => names.includes(name));
}

describe('gitfleet.yml in a commit', () => {
  const file = (text: string) => ({ 'gitfleet.yml': text });

  it('says nothing to a server that does not allow it', async () => {
    const { agent, origin } = await server(() => ({}));
    const a = await origin.commit('a', file('prepare: { command: [touch, made] }\n'));
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
  });

  it('runs where it is allowed, below the word of the server, and an invalid one is refused while the release serves', async () => {
    const { agent, origin, ran } = await server((program) => ({
      allowRepositorySteps: true,
      activate: { command: [program] },
      verifyInterval: '1s',
    }));
    const steps =
      'prepare: { command: [sh, -c, "echo made > made"] }\nactivate: { command: ["false"] }\ngenerated: [made]\n';
    const a = await origin.commit('a', { f: 'a', ...file(steps) });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    expect(await ran()).toEqual(['activate of a, link shows a']);
    expect(await readFile(join(agent.root, 'shop/made'), 'utf8')).toBe('made\n');
    for (const [text, words] of [
      ['prepair: { command: [x] }\n', 'unknown member "prepair": did you mean prepare?'],
      ['prepare: npm ci\n', 'gitfleet.yml: prepare'],
      ['shared: [../etc]\n', 'gitfleet.yml: shared'],
      ['a: b: c\n', 'line 1'],
    ] as const) {
      const bad = await origin.commit(text, file(text));
      const refused = await publish(origin, bad);
      expect(refused).toMatchObject({ exitCode: 1 });
      expect(refused.stdout).toContain('RELEASE_FILE');
      const report = await fleet.report('web-1');
      expect(report?.error?.reason).toContain(words);
      expect(report?.activeCommit).toBe(a);
    }
    expect(await ran()).toEqual([]);
    expect((await fleet.report('web-1'))?.drift).toEqual([]);
  });

  it('a prepare step that changes files of the commit is refused', async () => {
    const { agent, origin } = await server(() => ({ prepare: { command: ['sh', '-c', '[ ! -e g ] || echo x >> f'] } }));
    const a = await origin.commit('a', { f: 'a' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    const refused = await publish(origin, await origin.commit('b', { g: '' }));
    expect(refused.stdout).toMatch(/PREPARE_CHANGED the prepare step changed files of the commit: f/);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
  });
});

describe('shared paths', () => {
  it('are linked before prepare, outlive releases, and are neither drift nor cleaned', async () => {
    const { agent, origin } = await server(() => ({
      shared: ['uploads', 'var/log'],
      prepare: { command: ['sh', '-c', 'echo prepared >> uploads/said'] },
      ...{ drift: 'heal', verifyInterval: '1s', keepReleases: 1, keepFailedReleases: 0, releaseGrace: '0s' },
    }));
    const a = await origin.commit('a', { f: 'a' });
    const b = await origin.commit('b', { f: 'b' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    await writeFile(join(agent.root, 'shop/var/log/one'), 'line');
    for (const commitId of [b, a, b]) expect(await publish(origin, commitId)).toMatchObject({ exitCode: 0 });
    expect(await readFile(join(agent.root, 'shop/var/log/one'), 'utf8')).toBe('line');
    const said = () => readFile(join(appRoot(agent), 'shared/uploads/said'), 'utf8');
    expect((await said()).length).toBeGreaterThanOrEqual('prepared\n'.length * 2);
    expect(await readlink(join(agent.root, 'shop/uploads'))).toBe('../../shared/uploads');
    await writeFile(join(agent.root, 'shop/stranger'), '');
    await until('the inspection took the stranger away', async () => {
      const names = await readdir(join(agent.root, 'shop'));
      return !names.includes('stranger') && names.includes('uploads') && names.includes('var');
    });
    expect((await fleet.report('web-1'))?.drift).toEqual([]);
    await until('old releases are gone', async () => (await readdir(join(appRoot(agent), 'releases'))).length === 1);
    expect(await said()).toContain('prepared');
  });

  it('are refused where the commit has something', async () => {
    const { agent, origin } = await server(() => ({ shared: ['uploads'] }));
    const a = await origin.commit('a', { f: 'a' });
    expect(await publish(origin, a)).toMatchObject({ exitCode: 0 });
    const refused = await publish(origin, await origin.commit('b', { 'uploads/.gitkeep': '' }));
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(refused.stdout).toContain('SHARED_TAKEN the commit has something at uploads');
    expect(await readlink(join(agent.root, 'shop'))).toContain(a);
  });
});

it('a step that outlives its agent is ended before it is run again; what it left running is not', async () => {
  fleet = await TestFleet.create(servers.connect());
  const origin = await fleet.origin();
  const log = join(fleet.directory, 'ran');
  const script = `echo begin >> ${log}; [ -e ${log}.daemon ] || { : > ${log}.daemon; sleep 610 & }; [ -e ${log}.go ] || sleep 620`;
  const settings = {
    activate: { command: ['sh', '-c', 'setsid sleep 630 >/dev/null 2>&1 &'] },
    prepare: { command: ['sh', '-c', script] },
  };
  const home = agentHome(fleet, 'web-1', settings);
  life = startLife(home);
  const sleeping = (seconds: number) =>
    processesIn(fleet.directory).filter(({ command }) => command === `sleep\0${seconds}\0`).length;
  try {
    await fleet.online(1);
    const a = await origin.commit('a', { f: 'a' });
    await fleet.publish({ url: origin.url, commitId: a }, '--detach');
    await until('prepare runs', async () => sleeping(620) === 1 && sleeping(610) === 1);
    await life.kill('SIGKILL');
    expect(sleeping(620)).toBe(1);
    await writeFile(`${log}.go`, '');
    life = startLife(home);
    await fleet.reported('web-1', 'a', (report) => report.phase === 'active' && report.activeCommit === a);
    expect([sleeping(620), sleeping(610), sleeping(630)]).toEqual([0, 0, 1]);
    await life.kill('SIGKILL');
    life = startLife(home);
    await fleet.reported('web-1', 'a again', (report) => report.phase === 'active');
    expect(sleeping(630)).toBe(1);
    expect((await readFile(log, 'utf8')).split('\n').filter(Boolean)).toEqual(['begin', 'begin']);
  } finally {
    await life.kill('SIGTERM');
    for (const { pid, command } of processesIn(fleet.directory)) if (command.startsWith('sleep')) process.kill(pid);
  }
});

it('what is adopted from another tool is prepared like any other release, before it is shown', async () => {
  fleet = await TestFleet.create(servers.connect());
  const origin = await fleet.origin();
  await origin.commit('a', { f: 'a' });
  const home = agentHome(fleet, 'web-1', {
    prepare: { command: ['sh', '-c', '[ ! -e bad ] && touch made'] },
    generated: ['made'],
    shared: ['uploads'],
  });
  const shop = join(home.root, 'shop');
  await mkdir(home.root, { recursive: true });
  await git(home.root, 'clone', '--quiet', origin.url, shop);
  const adopt = () => gitfleet(['agent', 'adopt', 'shop', ...home.args.slice(2)]);
  expect(await adopt()).toMatchObject({ exitCode: 0 });
  expect((await readdir(shop)).toSorted()).toEqual(['.git', 'f', 'made', 'uploads']);

  await rm(home.directory, { recursive: true });
  await origin.commit('b', { bad: '' });
  const other = agentHome(fleet, 'web-1', { prepare: { command: ['test', '!', '-e', 'bad'] } });
  await mkdir(other.root, { recursive: true });
  await git(other.root, 'clone', '--quiet', origin.url, shop);
  const refused = await gitfleet(['agent', 'adopt', 'shop', ...other.args.slice(2)]);
  expect(refused).toMatchObject({ exitCode: 1 });
  expect(refused.stderr).toContain('PREPARE_FAILED');
  expect((await stat(join(shop, '.git'))).isDirectory()).toBe(true);
});
