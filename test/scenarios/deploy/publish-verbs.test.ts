import { afterEach, describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { readDeployment } from '../../../fleet/history.ts';
import { parseHold, parseQuarantine } from '../../../schemas/hold.ts';
import * as output from '../../../schemas/json-output.ts';
import { report } from '../../../schemas/report.ts';
import { toJson } from '../../../schemas/text/lenient-json.ts';
import { git, gitfleet } from '../../support/commands.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { start } from '../../support/started.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

/** The values that `--json` printed, each held against its documented shape: nothing unknown, nothing missing. */
function shaped<T extends z.ZodType>(stdout: string, ...schemas: T[]): z.infer<T>[] {
  const lines = stdout.trimEnd().split('\n');
  expect(lines.length).toBe(schemas.length);
  return lines.map((line, at) => (schemas[at] as T).parse(JSON.parse(line)));
}

async function withAgent() {
  fleet = await TestFleet.create(servers.connect());
  const agent = await fleet.startAgent('web-1', { args: ['--label', 'role=web', '--label', 'zone=a'] });
  await fleet.online(1);
  return { agent, origin: await fleet.origin() };
}

describe('what changes is shown', () => {
  it('commits that come, that go, and which way; plan finds out the same and writes nothing', async () => {
    const { origin } = await withAgent();
    const a = await origin.commit('Shop opens', { f: 'a' });
    await origin.commit('Prices go up', { f: 'b' });
    const c = await origin.commit('Prices go down', { f: 'c' });
    const inClone = (...args: string[]) =>
      gitfleet([...args, '-z', fleet.zookeeper, '--app', fleet.app], { cwd: origin.clone });
    const fresh = await inClone('plan', a, '--relative-path', 'shop', '--exit-code');
    expect(fresh).toMatchObject({ exitCode: 10, stdout: expect.stringContaining('1 agent would take part: web-1') });
    expect((await fleet.session.get(fleet.znodes.config))?.data.length).toBe(0);
    await inClone('publish', a, '--relative-path', 'shop');

    const forward = await inClone('publish', 'main');
    expect(forward.stdout).toMatch(
      /^d-2: [0-9a-f]{10} \(d-1\) -> [0-9a-f]{10} at shop, by \S+ {2}Prices go down\n {2}2 commits:\n {4}[0-9a-f]{10} {2}Prices go down\n {4}[0-9a-f]{10} {2}Prices go up\n/,
    );
    expect(await inClone('plan', '--exit-code')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('this target is published already'),
    });
    const planned = (await inClone('plan', a)).stdout;
    expect(planned).toMatch(/goes back 2 commits, without:\n {4}[0-9a-f]{10} {2}Prices go down/);
    expect(planned).toContain(
      `nothing was written; next: gitfleet publish ${a} --zookeeper ${fleet.zookeeper} --app ${fleet.app}\n`,
    );
    const [plan] = shaped((await inClone('plan', a, '--json')).stdout, output.planOutput);
    expect(plan).toMatchObject({
      changes: true,
      deployment: 3,
      change: { from: c, to: a, ahead: 0, behind: 2 },
      agents: ['web-1'],
    });

    const [backPlan] = shaped((await inClone('plan', '--rollback', '--json')).stdout, output.planOutput);
    expect(backPlan).toMatchObject({
      changes: true,
      deployment: 3,
      returnsTo: 1,
      target: { commitId: a },
      blockers: [],
    });
    await fleet.run('hold', '-m', 'inventory');
    const backPlanned = await inClone('plan', '--rollback', a.slice(0, 8), '--exit-code');
    expect(backPlanned.exitCode, 'no hold stops a rollback').toBe(10);
    expect(backPlanned.stdout).toContain(', back to d-1\n');
    expect(backPlanned.stdout).toContain(
      `nothing was written; next: gitfleet rollback d-1 --zookeeper ${fleet.zookeeper} --app ${fleet.app}\n`,
    );
    expect((await fleet.session.get(fleet.znodes.deployments))?.data.toString()).toBe('2');
    await fleet.run('unhold');

    const back = await inClone('rollback', a.slice(0, 8));
    expect(back.stdout).toContain('goes back 2 commits');
    const [newest, , oldest] = (
      await fleet.run('history', '--agent', 'web-1', '--since', '1h', '--no-audit', '--json')
    ).stdout
      .split('\n')
      .map((line) => (line === '' ? null : output.historyOutput.parse(JSON.parse(line))));
    expect(newest).toMatchObject({ number: 3, agent: { agentId: 'web-1', state: 'reached', code: null } });
    expect(oldest).toMatchObject({ number: 1, agent: { state: 'reached' } });
    expect((await fleet.run('history', '--utc')).stdout).toMatch(/d-3 .* \d{4}-\d\d-\d\d \d\d:\d\d UTC /);
    expect((await fleet.run('history', '--since', '0s', '--no-audit', '--json')).stdout).toBe('');
    expect(await fleet.run('history', '--agent', 'web-2')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('AGENT_UNKNOWN'),
    });
    expect(await inClone('attach', '3')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('d-3') });
    expect(back.stdout.trimEnd().split('\n').at(-1)).toBe(
      `main still contains ${c.slice(0, 10)} and 1 more before it: git revert --no-commit ${a.slice(0, 12)}..${c.slice(0, 12)}, then git commit`,
    );
  });
});

describe('another repository', () => {
  it('that no online agent allows is refused by plan and publish, and nothing is written', async () => {
    const { origin } = await withAgent();
    const commitId = await origin.commit('a', { f: 'a' });
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    const there = ['--url', 'file:///srv/elsewhere.git', '--relative-path', 'shop'];
    const refused = await fleet.run('publish', commitId, ...there);
    expect(refused).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('NOT_ALLOWED') });
    expect(refused.stderr).toContain('below no prefix that an online agent allows (web-1)');
    expect((await fleet.session.get(fleet.znodes.deployments))?.data.toString()).toBe('1');
    const [plan] = shaped((await fleet.run('plan', commitId, ...there, '--json')).stdout, output.planOutput);
    expect(plan?.blockers).toMatchObject([{ code: 'NOT_ALLOWED' }]);
    const unchecked = await fleet.run('publish', commitId, ...there, '--no-check', '--detach');
    expect(unchecked.stdout).toContain('the repository changes: from');
  });
});

describe('hold', () => {
  it('stops whoever publishes and says who holds, why and until when; unhold ends it; both say the same twice', async () => {
    const { origin } = await withAgent();
    const commitId = await origin.commit('a', { f: 'a' });
    const by = (author: string, ...args: string[]) =>
      gitfleet([...args, '-z', fleet.zookeeper, '--app', fleet.app], { env: { GITFLEET_AUTHOR: author } });
    const first = await by('ann', 'hold', '-m', 'inventory', '--for', '2h', '--json');
    const [held] = shaped(first.stdout, output.holdOutput);
    expect(held).toMatchObject({ changed: true, hold: { by: 'ann', reason: 'inventory' } });
    expect((held?.hold?.end ?? 0) - (held?.hold?.at ?? 0)).toBe(2 * 3_600_000);
    // Without options: what is in force, and nothing is written.
    const shownHold = await by('bob', 'hold', '--json');
    expect(shaped(shownHold.stdout, output.holdOutput)).toEqual([{ hold: held?.hold, changed: false }]);
    expect((await by('bob', 'hold')).stdout).toMatch(/: ann holds publishing since .* until .*: inventory\n/);
    expect(await by('bob', 'hold', '-m', 'mine')).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('ann holds publishing'),
    });
    const refused = await fleet.publish({ url: origin.url, commitId }, '--detach');
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toMatch(
      /HOLD: ann holds publishing since .* UTC until .* UTC: inventory\n {2}ask ann; .*gitfleet unhold/,
    );
    expect((await fleet.run('status')).stdout).toContain('ann holds publishing');
    const [plan] = shaped(
      (await fleet.run('plan', commitId, '--url', origin.url, '--relative-path', 'shop', '--json')).stdout,
      output.planOutput,
    );
    expect(plan?.blockers).toMatchObject([{ code: 'HOLD' }]);
    expect(shaped((await by('bob', 'unhold', '--json')).stdout, output.holdOutput)).toMatchObject([
      { changed: true, hold: { by: 'ann' } },
    ]);
    expect(shaped((await by('bob', 'unhold', '--json')).stdout, output.holdOutput)).toEqual([
      { changed: false, hold: null },
    ]);
    expect((await by('bob', 'unhold')).stdout).toContain('was not held');
    expect(await by('bob', 'hold')).toMatchObject({ exitCode: 0, stdout: `${fleet.app}: publishing is not held\n` });
    expect((await by('bob', 'quarantine')).stdout).toBe(`${fleet.app}: no commit is in quarantine\n`);
    const node = await fleet.session.get(fleet.znodes.hold);
    expect(node && parseHold(node.data).value).toBe(null);
    expect((await fleet.publish({ url: origin.url, commitId }, '--detach')).exitCode).toBe(0);
  });
});

describe('quarantine', () => {
  it('by id, by its beginning, by deployment; --force -m lifts it with the publish; rollback leaves one behind', async () => {
    const { agent, origin } = await withAgent();
    const a = await origin.commit('a', { f: 'a' });
    const b = await origin.commit('b', { f: 'b' });
    await fleet.publish({ url: origin.url, commitId: a });
    await fleet.publish({ url: origin.url, commitId: b });
    const left = await fleet.run('rollback', '--quarantine', '-m', 'burns', '--json');
    shaped(left.stdout, output.publishedOutput as z.ZodType, output.endingOutput);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);

    const listed = shaped((await fleet.run('quarantine', '--json')).stdout, output.quarantineOutput);
    expect(listed).toMatchObject([{ quarantined: { commitId: b, reason: 'burns' }, changed: false }]);
    expect((await fleet.run('quarantine')).stdout).toMatch(/: [0-9a-f]{12} is in quarantine since .*: burns\n$/);
    expect(await fleet.run('quarantine', '-m', 'why')).toMatchObject({ exitCode: 2 });

    const refused = await fleet.publish({ url: origin.url, commitId: b }, '--detach');
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toMatch(/QUARANTINED: [0-9a-f]{12} is in quarantine since .* UTC \(.+\): burns/);
    expect(await fleet.publish({ url: origin.url, commitId: b }, '--force')).toMatchObject({ exitCode: 2 });
    const forced = await fleet.publish({ url: origin.url, commitId: b }, '--force', '-m', 'mended elsewhere');
    expect(forced).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('by force out of the quarantine of') });
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
    expect(await readDeployment(fleet.session, fleet.znodes, 4)).toMatchObject({
      reason: 'mended elsewhere',
      lifted: { reason: 'burns' },
    });

    const put = await fleet.run('quarantine', 'd-4', '-m', 'again', '--json');
    expect(shaped(put.stdout, output.quarantineOutput)).toMatchObject([
      { changed: true, quarantined: { commitId: b } },
    ]);
    expect((await fleet.run('quarantine', b.slice(0, 8), '-m', 'other')).stdout).toContain(
      'it is what the fleet shows now',
    );
    const node = await fleet.session.get(fleet.znodes.quarantine);
    expect(node && parseQuarantine(node.data).value).toMatchObject([{ commitId: b, reason: 'again' }]);
    // What is in quarantine is no place to return to.
    await fleet.run('quarantine', a, '-m', 'too');
    expect(await fleet.run('rollback')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('NOTHING_PROVEN'),
    });
    expect(
      shaped((await fleet.run('unquarantine', b.slice(0, 8), '--json')).stdout, output.quarantineOutput),
    ).toMatchObject([{ changed: true }]);
    expect((await fleet.run('unquarantine', b)).stdout).toContain('was not in quarantine');
    expect(await fleet.run('quarantine', 'nowhere', '-m', 'x')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('NO_SUCH_REV'),
    });
  });
});

describe('attach', () => {
  it('follows again from what the fleet shows, and tells how older deployments ended', async () => {
    const { origin } = await withAgent();
    const a = await origin.commit('a', { f: 'a' });
    expect(await fleet.run('attach')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('NOTHING_PUBLISHED'),
    });
    const detached = await fleet.publish({ url: origin.url, commitId: a }, '--detach');
    expect(detached.stdout.trimEnd().split('\n').at(-1)).toBe('next: gitfleet attach d-1');
    const again = await fleet.run('attach', '--timeout', '60s', '--json');
    expect(again.exitCode).toBe(0);
    const [first, last] = shaped(again.stdout, output.attachedOutput as z.ZodType, output.endingOutput);
    expect([first, last]).toMatchObject([{ attached: { number: 1 } }, { ending: 'converged', reached: 1 }]);
    await fleet.publish({ url: 'https://other.example.com/r.git', commitId: a }, '--no-check');
    expect(await fleet.run('attach')).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('FAILED') });
    const back = /back to d-1 [0-9a-f]{10}: gitfleet rollback/;
    expect((await fleet.run('status')).stdout).toMatch(new RegExp(`\\nnext: gitfleet status web-1; ${back.source}`));
    expect((await fleet.run('status', 'web-1')).stdout).toMatch(back);
    const machine = await fleet.publish({ url: origin.url, commitId: a }, '--detach', '--json');
    shaped(machine.stdout, output.publishedOutput as z.ZodType);
    await fleet.publish({ url: origin.url, commitId: a });
    for (const [name, exitCode, words] of [
      ['d-1', 0, /d-1 [0-9a-f]{10}: proven .* ago, 1\/1 agents/],
      ['d-2', 1, /web-1: NOT_ALLOWED[\s\S]*d-2 [0-9a-f]{10}: failed/],
      ['d-4', 0, /d-4 [0-9a-f]{10}: 1\/1 online agents/],
    ] as const) {
      expect(await fleet.run('attach', name), name).toMatchObject({ exitCode, stdout: expect.stringMatching(words) });
    }
    expect(await fleet.run('attach', 'd-99')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('DEPLOYMENT_UNKNOWN'),
    });
  });

  it('ends as superseded, with the way on, where something newer comes', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const target = { url: origin.url, commitId: await origin.commit('a', { f: 'a' }) };
    await fleet.publish(target, '--detach');
    const waiting = await start(['attach', '-z', fleet.zookeeper, '--app', fleet.app]);
    try {
      await waiting.prints(/d-1 [0-9a-f]{10}, published/);
      await fleet.publish(target, '--detach');
      expect(await waiting.ended).toBe(6);
      expect(waiting.said).toContain('next: gitfleet attach d-2');
    } finally {
      await waiting.cleanUp();
    }
  });
});

describe('status', () => {
  it('of the fleet, of one agent, by labels, and as JSON', async () => {
    const { agent, origin } = await withAgent();
    await fleet.startAgent('db-1', { args: ['--label', 'role=db'] });
    await fleet.online(2);
    const commitId = await origin.commit('a', { f: 'a' });
    await fleet.publish({ url: origin.url, commitId });
    const [all] = shaped((await fleet.run('status', '--json')).stdout, output.statusOutput);
    expect(all).toMatchObject({
      target: { commitId },
      reached: 2,
      expected: 2,
      deployment: { number: 1 },
      stale: null,
    });
    const [web] = shaped(
      (await fleet.run('status', '--json', '-l', 'role=web,zone in (a,b)')).stdout,
      output.statusOutput,
    );
    expect(web).toMatchObject({ expected: 1, agents: [{ agentId: 'web-1', standing: 'active' }] });
    const one = await fleet.run('status', 'web-1');
    expect(one.stdout).toMatch(/labels +role=web, zone=a\n/);
    expect(one.stdout).toContain(commitId);
    expect(shaped((await fleet.run('status', 'web-1', '--json')).stdout, output.agentOutput)).toMatchObject([
      { standing: 'active' },
    ]);
    expect(await fleet.run('status', 'web-2')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/AGENT_UNKNOWN[\s\S]*did you mean web-1\?/),
    });
    for (const line of (await fleet.run('history', '--json')).stdout.trimEnd().split('\n'))
      output.historyOutput.parse(JSON.parse(line));
    await agent.kill('SIGTERM');
    await until('offline', async () => /web-1 +offline +.*last report/.test((await fleet.run('status')).stdout));
  });

  it('--watch elsewhere than on a terminal tells what changes, a line each, until Ctrl-C', async () => {
    const { origin } = await withAgent();
    const args = ['-z', fleet.zookeeper, '--app', fleet.app];
    const watching = await start(['status', '--watch', ...args]);
    const json = await start(['status', '--watch', '--json', ...args]);
    try {
      await watching.prints(/1 online, waiting for a target: web-1/);
      await fleet.publish({ url: origin.url, commitId: await origin.commit('a', { f: 'a' }) });
      await watching.prints(/\d\d:\d\d:\d\d {3}web-1 +active|\d\d:\d\d:\d\d web-1: active/);
      await json.prints(/"standing":"active"/);
      for (const each of [watching, json]) {
        each.kill('SIGINT');
        expect(await each.ended).toBe(130);
        expect(each.said).not.toContain('\u001b');
      }
      for (const line of json.said.trimEnd().split('\n')) output.statusOutput.parse(JSON.parse(line));
    } finally {
      await Promise.all([watching.cleanUp(), json.cleanUp()]);
    }
  });
});

describe('forget', () => {
  it('refuses who is online and names the holder; removes who is gone, once', async () => {
    const { agent } = await withAgent();
    await until('a report', async () => await fleet.report('web-1'));
    const refused = await fleet.run('forget', 'web-1');
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toMatch(
      new RegExp(`ONLINE: web-1 is online: process ${agent.process.pid} on \\S+ holds its name`),
    );
    await agent.kill('SIGTERM');
    await until('offline', async () => (await fleet.session.children(fleet.znodes.online))?.length === 0);
    expect(shaped((await fleet.run('forget', 'web-1', '--json')).stdout, output.forgetOutput)).toEqual([
      { agentId: 'web-1', forgotten: true },
    ]);
    expect(await fleet.report('web-1')).toBe(null);
    expect(await fleet.run('forget', 'web-1')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('AGENT_UNKNOWN'),
    });
    const error = await fleet.run('forget', 'web-1', '--json');
    expect(shaped(error.stdout, output.errorOutput)).toMatchObject([{ exitCode: 1, error: { code: 'AGENT_UNKNOWN' } }]);
  });

  it('cures a report that belongs to a former state directory', async () => {
    fleet = await TestFleet.create(servers.connect(), undefined, { open: false });
    const file = (role: string) => `${fleet.directory}/gitfleet-credentials/${role}.auth`;
    const args = ['--auth-file', file('agent')];
    const old = await fleet.startAgent('web-1', { args, home: 'before' });
    const asOperator = (...words: string[]) => fleet.run(...words, '--auth-file', file('operator'));
    const standing = async () => JSON.parse((await asOperator('status', 'web-1', '--json')).stdout);
    await until('its first report', async () => (await standing()).report?.agentId === 'web-1');
    await old.kill('SIGTERM');
    // The same server, set up anew: another credential of its own, which may not write the old report.
    await fleet.startAgent('web-1', { args, home: 'after' });
    await until('it says that it cannot report', async () =>
      /NO_AUTH/.test((await standing()).presence?.problem ?? ''),
    );
    const silent = await asOperator('status', 'web-1');
    expect(silent.stdout).toContain('gitfleet forget web-1');
    expect((await asOperator('forget', 'web-1')).exitCode).toBe(0);
    await until('it reports again', async () => {
      const { report: said, presence } = await standing();
      return said?.agentId === 'web-1' && presence?.problem === null;
    });
    expect(await asOperator('forget', 'web-1')).toMatchObject({ exitCode: 5 });
  });
});

it('a thousand agents are shown by status, with one session and no watch', async () => {
  fleet = await TestFleet.create(servers.connect());
  const origin = await fleet.origin();
  const commitId = await origin.commit('a', { f: 'a' });
  await git(origin.clone, 'fetch', '--quiet');
  await fleet.publish({ url: origin.url, commitId }, '--detach');
  const { targetVersion } = JSON.parse((await fleet.run('status', '--json')).stdout);
  const ids = Array.from({ length: 1_000 }, (_, at) => `web-${String(at + 1).padStart(4, '0')}`);
  const said = (agentId: string) => ({
    agentId,
    targetVersion,
    phase: 'active',
    activeCommit: commitId,
    phaseAt: 1,
    at: 1,
  });
  await Promise.all(
    ids.map((id) =>
      fleet.session.create(fleet.znodes.report(id), toJson(report(), report().parse(said(id))), 'persistent'),
    ),
  );
  const shown = await fleet.run('status');
  expect(shown.stdout).toContain('1000 offline');
  expect(shown.stdout.split('\n').length).toBeLessThan(60);
  const [all] = shaped((await fleet.run('status', '--json')).stdout, output.statusOutput);
  expect(all?.agents.map((agent) => agent.agentId)).toEqual(ids);
});

describe('history', () => {
  it('shows who did what between the deployments, and --verify finds what the operator rewrote', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const publishes = async (text: string) =>
      await fleet.publish({ url: origin.url, commitId: await origin.commit(text, { f: text }) }, '--detach');
    await publishes('a');
    await fleet.run('hold', '-m', 'inventory');
    await fleet.run('unhold', '-m', 'counted');
    await publishes('b');
    const lines = (await fleet.run('history')).stdout.trimEnd().split('\n');
    expect(lines.map((line) => line.trim().split(/\s+/)[0])).toEqual(['*', 'a-2', 'a-1', 'd-1']);
    expect(lines[1]).toMatch(/unhold .* ago .* held by .*: inventory: counted$/);
    expect((await fleet.run('history', '--no-audit')).stdout).not.toContain('hold');
    const json = shaped((await fleet.run('history', '--json')).stdout, ...Array(4).fill(output.historyOutput));
    expect(json).toMatchObject([
      { number: 2, outcome: null },
      { audit: { kind: 'unhold', reason: 'counted' } },
      { audit: { kind: 'hold', reason: 'inventory' } },
      { number: 1 },
    ]);

    const whole = await fleet.run('history', '--verify');
    expect(whole).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('the chain of d-1 .. d-2 is whole') });
    const head = /head (d-2:[0-9a-f]{64})/.exec(whole.stdout)?.[1] ?? '';
    expect(await fleet.run('history', '--verify', '--head', head)).toMatchObject({ exitCode: 0 });
    expect(await fleet.run('history', '--verify', '--head', 'd-2')).toMatchObject({ exitCode: 2 });
    expect(await fleet.run('history', '--head', head)).toMatchObject({ exitCode: 2 });

    const path = fleet.znodes.deployment(1);
    const before = String((await fleet.session.get(path))?.data);
    await fleet.session.set(path, Buffer.from(before.replace('"by":"', '"by":"not ')), -1);
    const broken = await fleet.run('history', '--verify');
    expect(broken).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/d-1 is not what d-2 was written after/),
    });
    expect(
      shaped((await fleet.run('history', '--verify', '--json')).stdout, output.verifyOutput, output.verifyOutput),
    ).toMatchObject([
      { chain: 'deployments', whole: false, findings: [{ number: 1 }, { number: 1 }] },
      { chain: 'audit', whole: true, last: 2 },
    ]);
  });
});
