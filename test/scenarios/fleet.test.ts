import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { askServer } from '../../zookeeper/wire/four-letter.ts';
import { git } from '../support/commands.ts';
import { shownCommit, TestFleet } from '../support/fleet.ts';
import { until } from '../support/until.ts';
import { realServers } from '../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
afterEach(() => fleet.stop());

const exec = promisify(execFile);

describe('a fleet of ten', () => {
  it('shows one published commit, every file of it and nothing else', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agents = await fleet.startAgents(10);
    await fleet.online(10);
    const origin = await fleet.origin();
    const commitId = await origin.commit('first', {
      'index.html': '<h1>shop</h1>\n',
      'bin/run.sh': '#!/bin/sh\n',
      'a/b/c/deep.txt': 'deep',
      'crlf.txt': 'one\r\ntwo\r\n',
      '.gitattributes': '*.txt text eol=lf\n',
    });
    const said = await fleet.publish({ url: origin.url, commitId });
    expect(said).toMatchObject({ exitCode: 0, stderr: '' });
    expect(said.stdout).toContain('10/10 online agents');
    for (const agent of agents) expect(await shownCommit(agent.root, 'shop')).toBe(commitId);
  });

  it('sends nothing but pings and the slow re-read when idle', async () => {
    fleet = await TestFleet.create(servers.connect());
    await fleet.startAgents(10, { settings: { agent: { resyncInterval: '1h' } } });
    await fleet.online(10);
    const origin = await fleet.origin();
    const said = await fleet.publish({ url: origin.url, commitId: await origin.commit('first', { a: '1' }) });
    expect(said.exitCode).toBe(0);
    await fleet.session.close();
    // The counters of each connection, by session id: packets received, and the name of the last operation.
    const count = async () => {
      const answer = await askServer('127.0.0.1', servers.first.port, 'cons', { timeoutMs: 5_000, clock: systemClock });
      return new Map([...answer.matchAll(/recved=(\d+).*?sid=(0x[0-9a-f]+).*?lop=(\w+)/g)].map((m) => [m[2], m]));
    };
    await until('the publisher and the tests have left', async () => (await count()).size === 10);
    await systemClock.sleep(1_000);
    const before = await count();
    await systemClock.sleep(6_000);
    const after = await count();
    expect(after.size).toBe(10);
    for (const [sid, connection] of after) {
      const packets = Number(connection[1]) - Number(before.get(sid)?.[1]);
      // A session of 15 s pings every 5 s of silence: two at the most in these six seconds.
      expect(packets).toBeLessThanOrEqual(2);
    }
    expect([...after.values()].every((connection) => connection[3] === 'PING' || connection[3] === 'SETD')).toBe(true);
  });
});

describe('rights on a server', () => {
  it('lets any user read a release, and none but its own the state', async () => {
    fleet = await TestFleet.create(servers.connect());
    // A tight umask must not reach what is served.
    const before = process.umask(0o077);
    const agent = await fleet.startAgent('web-1').finally(() => process.umask(before));
    await fleet.online(1);
    const origin = await fleet.origin();
    const commitId = await origin.commit('first', { 'a/b.txt': 'hello' });
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    // The directories above the root are the test's own business.
    await exec('chmod', [
      'o+x',
      fleet.directory,
      join(fleet.directory, 'agents'),
      join(fleet.directory, 'agents/web-1'),
    ]);
    const modes = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
    expect(await modes(join(agent.root, 'shop/a'))).toBe('755');
    expect(await modes(join(agent.root, 'shop/a/b.txt'))).toBe('644');
    expect(await modes(agent.state)).toBe('700');
    if (process.getuid?.() === 0) {
      const asNobody = (...argv: string[]) =>
        exec('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', ...argv]);
      expect((await asNobody('cat', join(agent.root, 'shop/a/b.txt'))).stdout).toBe('hello');
      await expect(asNobody('ls', agent.state)).rejects.toMatchObject({ code: 2 });
    }
  });
});

describe('awkward targets end at exactly the commit asked for', () => {
  it('branch moved on, rollback, force-push, unrelated history, other url and path, empty and repeated commits', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const origin = await fleet.origin();
    const shows = async (commitId: string, path = 'shop') => {
      expect(await shownCommit(agent.root, path)).toBe(commitId);
    };
    const publish = async (commitId: string, over: { url?: string; path?: string } = {}) => {
      const said = await fleet.publish({ url: origin.url, commitId, ...over });
      expect(said).toMatchObject({ exitCode: 0 });
      await shows(commitId, over.path);
    };
    const a = await origin.commit('a', { f: 'a', only: 'a' });
    const b = await origin.commit('b', { f: 'b' });
    const c = await origin.commit('c', { f: 'c' });
    await publish(b); // The branch is past it.
    await publish(c);
    const rolledBack = await fleet.run('rollback', '--timeout', '60s');
    expect(rolledBack).toMatchObject({ exitCode: 0 });
    await shows(b);

    // main: a - b - c, then force-pushed to a - d; c is on no branch any more.
    await git(origin.clone, 'reset', '--quiet', '--hard', a);
    const d = await origin.commit('d', { g: 'd' }).catch(async () => {
      await git(origin.clone, 'push', '--quiet', '--force', 'origin', 'HEAD:main');
      return await git(origin.clone, 'rev-parse', 'HEAD');
    });
    await publish(d);
    await publish(c);

    await git(origin.clone, 'checkout', '--quiet', '--orphan', 'fresh');
    await git(origin.clone, 'rm', '-rf', '--quiet', '.');
    await git(origin.clone, 'commit', '--quiet', '--allow-empty', '-m', 'unrelated');
    await git(origin.clone, 'push', '--quiet', '--force', 'origin', 'HEAD:main');
    const unrelated = await git(origin.clone, 'rev-parse', 'HEAD');
    await publish(unrelated); // It has no file at all.
    const empty = await origin.commit('empty', {});
    await publish(empty);

    await publish(a);
    await publish(a); // The same again,
    await publish(b); // and A, B, A.
    await publish(a);

    const other = await fleet.origin('other');
    const o = await other.commit('other', { only: 'in the other repository' });
    await publish(o, { url: other.url });
    await publish(a); // The commit that was shown before, from the first repository.
    await publish(a, { path: 'moved/shop' });
    await publish(b, { path: 'moved/shop' });
    await shows(a); // The old link is left alone: nobody said that it should go.
  });
});
