import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { gitfleet } from '../../support/commands.ts';
import { type GivenSettings, shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

async function deployed(settings: GivenSettings['agent']) {
  fleet = await TestFleet.create(servers.connect());
  const agent = await fleet.startAgent('web-1', { settings: { agent: { verifyInterval: '1s', ...settings } } });
  await fleet.online(1);
  const origin = await fleet.origin();
  const commitId = await origin.commit('a', { 'src/app.js': 'one', 'src/gone.js': 'two', keep: 'three' });
  const publish = () => fleet.publish({ url: origin.url, commitId });
  expect((await publish()).exitCode).toBe(0);
  return { agent, commitId, publish, at: (path: string) => join(agent.root, 'shop', path) };
}

describe('an active release that somebody wrote into', () => {
  it('is reported with the names of its files, and only observed', async () => {
    const { at } = await deployed({ generated: ['cache/', '*.pyc'] });
    await writeFile(at('src/app.js'), 'changed');
    await rm(at('src/gone.js'));
    await writeFile(at('stranger'), 'x');
    await mkdir(at('cache'));
    await writeFile(at('cache/entry'), 'generated');
    await writeFile(at('src/app.pyc'), 'generated');
    const report = await fleet.reported('web-1', 'the drift', (found) => found.drift.length === 3);
    expect([...report.drift].sort()).toEqual(['src/app.js', 'src/gone.js', 'stranger']);
    expect(report.phase).toBe('active');
    expect((await fleet.run('status')).stdout).toContain('3 files are not the commit');
    expect(await readFile(at('src/app.js'), 'utf8')).toBe('changed');
    await writeFile(at('src/app.js'), 'one');
    await writeFile(at('src/gone.js'), 'two');
    await rm(at('stranger'));
    await fleet.reported('web-1', 'that the drift is over', (found) => found.drift.length === 0);
  });

  it('is looked at anew when its commit is published again: what was changed is right, what is not of it stays', async () => {
    const { at, publish } = await deployed({ verifyInterval: '5m' });
    await writeFile(at('src/app.js'), 'changed');
    await writeFile(at('stranger'), 'x');
    expect((await publish()).exitCode).toBe(0);
    expect(await readFile(at('src/app.js'), 'utf8')).toBe('one');
    const { phaseAt } = await fleet.reported('web-1', 'what stays', (found) => found.drift.join() === 'stranger');
    await rm(at('stranger'));
    expect((await publish()).exitCode).toBe(0);
    const clean = await fleet.reported('web-1', 'that nothing is left', (found) => found.phase === 'active');
    expect(clean.drift).toEqual([]);
    expect(clean.phaseAt).toBeGreaterThan(phaseAt);
  });

  it('is put right where the settings say so, and what steps generated stays', async () => {
    const { agent, commitId, at } = await deployed({ drift: 'heal', generated: ['cache/'] });
    await mkdir(at('cache'));
    await writeFile(at('cache/entry'), 'generated');
    await writeFile(at('src/app.js'), 'changed');
    await rm(at('src/gone.js'));
    await writeFile(at('stranger'), 'x');
    await until('it is healed', async () => (await readFile(at('src/gone.js'), 'utf8').catch(() => '')) === 'two');
    expect(await readFile(at('cache/entry'), 'utf8')).toBe('generated');
    await rm(at('cache'), { recursive: true });
    await until('it is the commit', async () => (await shownCommit(agent.root, 'shop')) === commitId);
    await until('it is said', async () => (await agent.log()).includes('the active release is its commit again'));
  });
});

describe('what is served while another target is wanted', () => {
  const drifts = (phase: string, names: string[]) =>
    fleet.reported('web-1', `${phase} with drift ${names}`, (found) => {
      return found.phase === phase && found.drift.join() === names.join();
    });

  it('is looked after where that target is refused or waits for its permit', async () => {
    const { at } = await deployed({ drift: 'heal' });
    await fleet.setConfig('{"url": "nonsense"}');
    await drifts('failed', []);
    await writeFile(at('src/app.js'), 'changed');
    await until('it is healed', async () => (await readFile(at('src/app.js'), 'utf8')) === 'one');

    // A policy, and nobody online whom it chooses: the rollout is held.
    await writeFile(join(fleet.directory, 'policy.yml'), 'canary: role=nobody\n');
    expect(await fleet.run('policy', 'set', 'policy.yml')).toMatchObject({ exitCode: 0 });
    const origin = await fleet.origin('other');
    const commitId = await origin.commit('b', { f: 'b' });
    await fleet.publish({ url: origin.url, commitId }, '--detach');
    await drifts('awaiting', []);
    await writeFile(at('src/app.js'), 'changed');
    await until('it is healed', async () => (await readFile(at('src/app.js'), 'utf8')) === 'one');

    // What was made ready meanwhile is as it was.
    await writeFile(join(fleet.directory, 'policy.yml'), 'canary: 1\n');
    expect(await fleet.run('policy', 'set', 'policy.yml')).toMatchObject({ exitCode: 0 });
    const aborted = await fleet.run('abort', '-m', 'another policy');
    expect(aborted).toMatchObject({ exitCode: 0 });
    expect(aborted.stdout).toMatch(/^next: back to d-1 [0-9a-f]{10}: gitfleet rollback; gitfleet retry$/m);
    expect(await fleet.run('retry', '--timeout', '30s')).toMatchObject({ exitCode: 0 });
    expect(await readFile(at('f'), 'utf8')).toBe('b');
  });

  it('is named but not put right where a person suspended the server', async () => {
    const { agent, at } = await deployed({ drift: 'heal' });
    const here = ['--root', agent.root, '--state', agent.state, '--id', agent.id, '--app', fleet.app];
    expect(await gitfleet(['agent', 'suspend', '-m', 'trying something', ...here])).toMatchObject({ exitCode: 0 });
    const { phaseAt } = await drifts('suspended', []);
    await writeFile(at('src/app.js'), 'changed');
    expect((await drifts('suspended', ['src/app.js'])).phaseAt).toBe(phaseAt);
    expect((await fleet.run('status')).stdout).toMatch(
      /web-1 +suspended .*: trying something; 1 file is not the commit's/,
    );
    expect(await readFile(at('src/app.js'), 'utf8')).toBe('changed');
    await gitfleet(['agent', 'resume', ...here]);
    await until('it is healed', async () => (await readFile(at('src/app.js'), 'utf8')) === 'one');
  });
});
