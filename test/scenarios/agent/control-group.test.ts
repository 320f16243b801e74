import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AgentHome, agentHome } from '../../support/agent/agent-process.ts';
import { cleanEnvironment, MAIN } from '../../support/commands.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/**
 * What a step starts dies with it at its deadline, also what detached itself, where the agent has a control group of its
 * own. The group here is made by the test, as root; test/packaging tries the one that systemd delegates.
 */
const servers = sharedServer();
let fleet: TestFleet;
let group: string;
let home: AgentHome;
let pid = 0;
let ended: Promise<unknown> = Promise.resolve();

beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  const place = / (\/\S*) (\/\S*) .* - cgroup2 /.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[2];
  if (process.getuid?.() !== 0 || !place)
    throw new Error('this test makes control groups: run it as root, with cgroup v2');
  group = join(place, `gitfleet-test-${process.pid}.service`);
  mkdirSync(group);
});
afterEach(async () => {
  for (const each of [pid, detached()]) if (each !== 0 && isAlive(each)) process.kill(each, 'SIGKILL');
  await ended;
  await until('the group is empty', async () => {
    for (const step of stepGroups()) rmdirSync(join(group, step));
    rmdirSync(group);
    return true;
  });
  await fleet.stop();
});

/** Starts a program that detaches itself, and does not end. */
const HANGS = 'setsid sh -c "echo \\$\\$ > $FILE; exec sleep 300" & sleep 300';
/** The same, and ends well at once. */
const LEAVES =
  'setsid sh -c "echo \\$\\$ > $FILE; exec sleep 300" >/dev/null 2>&1 & while ! [ -s $FILE ]; do sleep 0.1; done';

async function begin(script: string, where: 'in a group' | 'outside'): Promise<string> {
  const file = join(fleet.directory, 'detached');
  const command = ['sh', '-c', `FILE=${file}; export FILE; ${script}`];
  home = agentHome(fleet, 'web-1', { prepare: { command, timeout: '2s' } });
  const log = openSync(home.logFile, 'a');
  const enter = where === 'in a group' ? `echo $$ > ${group}/cgroup.procs; ` : '';
  const child = spawn('sh', ['-c', `${enter}exec "$@"`, 'sh', process.execPath, MAIN, ...home.args], {
    env: cleanEnvironment(),
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  pid = child.pid as number;
  ended = new Promise((resolve) => child.once('exit', resolve));
  const origin = await fleet.origin();
  const commitId = await origin.commit('one', { f: '1' });
  await fleet.setConfig(JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' }));
  return commitId;
}

const stepGroups = () => readdirSync(group).filter((name) => name.startsWith('step-'));
const groupOf = (each: number) => readFileSync(`/proc/${each}/cgroup`, 'utf8');

function detached(): number {
  const file = join(fleet.directory, 'detached');
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

function isAlive(each: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${each}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

it('a step is killed with all that it started, and the agent that started it is not', async () => {
  await begin(HANGS, 'in a group');
  const report = await fleet.reported('web-1', 'prepare failed', ({ error }) => error?.code === 'PREPARE_FAILED');
  expect(report.error?.reason).toContain('did not end within 2000 ms and was killed, with all that it started');
  expect(detached()).toBeGreaterThan(0);
  await until('what detached itself is gone', async () => !isAlive(detached()));
  expect(isAlive(pid)).toBe(true);
  expect(groupOf(pid)).toMatch(/^0::\/gitfleet-test-\d+\.service$/m);
});

it('what a step leaves running at its own good end stays; its group is removed once it is empty', async () => {
  const first = await begin(LEAVES, 'in a group');
  await fleet.reported('web-1', 'active', ({ activeCommit }) => activeCommit === first);
  expect(isAlive(detached())).toBe(true);
  expect(groupOf(detached())).toMatch(/^0::\/gitfleet-test-\d+\.service\/step-\d+-1$/m);
  process.kill(detached(), 'SIGKILL');
  await until('it is gone', async () => !isAlive(detached()));
  const origin = await fleet.origin('other');
  const commitId = await origin.commit('two', { f: '2' });
  await fleet.setConfig(JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' }));
  await fleet.reported('web-1', 'active', ({ activeCommit }) => activeCommit === commitId);
  expect(await shownCommit(home.root, 'shop')).toBe(commitId);
  expect(stepGroups()).toHaveLength(1);
});

it('without such a group a step is killed with its process group, and the failure says so', async () => {
  await begin(HANGS, 'outside');
  const report = await fleet.reported('web-1', 'prepare failed', ({ error }) => error?.code === 'PREPARE_FAILED');
  expect(report.error?.reason).toContain('did not end within 2000 ms and was killed, with its process group');
  expect(isAlive(detached())).toBe(true);
});
