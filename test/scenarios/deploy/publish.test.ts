import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../../fleet/access.ts';
import { readDeployment, readHistory } from '../../../fleet/history.ts';
import { cleanEnvironment, git, gitfleet, MAIN } from '../../support/commands.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

describe('publish by hand', () => {
  it('two at once: one wins, the other says who won and exits 6', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const a = await origin.commit('a', { f: 'a' });
    const b = await origin.commit('b', { f: 'b' });
    const { publish } = await import('../../../publisher/publish.ts');
    const { readSharedState } = await import('../../../fleet/shared-state.ts');
    const { targetOf } = await import('../../../schemas/target.ts');
    // Both have read before either writes: the race at its sharpest, without luck.
    const since = await readSharedState(fleet.session, fleet.znodes);
    const one = async (commitId: string, by: string) => {
      const target = targetOf({ url: origin.url, commitId, relativePath: 'shop' });
      const parts = {
        session: fleet.session,
        znodes: fleet.znodes,
        access: openAccess,
        now: Date.now,
        newNonce: () => by,
      };
      return await publish(parts, since, { target, by, reason: '', via: 'publish' });
    };
    const ended = await Promise.allSettled([one(a, 'ann'), one(b, 'bob')]);
    const winner = ended.findIndex((result) => result.status === 'fulfilled');
    expect(ended.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
    const lost = ended[1 - winner] as PromiseRejectedResult;
    expect(lost.reason).toMatchObject({ code: 'CONFLICT' });
    expect(lost.reason.message).toContain(
      `${['ann', 'bob'][winner]} published ${[a, b][winner]?.slice(0, 12)} as d-1 first`,
    );
    expect((await readHistory(fleet.session, fleet.znodes, 10)).length).toBe(1);
  });

  it('of five commands started together none overwrites unseen: each wins or exits 6', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const commits: string[] = [];
    for (let at = 0; at < 5; at += 1) commits.push(await origin.commit(`c${at}`, { f: String(at) }));
    const said = await Promise.all(commits.map((commitId) => fleet.publish({ url: origin.url, commitId }, '--detach')));
    for (const { exitCode, stderr } of said) {
      expect([0, 6]).toContain(exitCode);
      if (exitCode === 6) expect(stderr).toMatch(/CONFLICT: \S+ published [0-9a-f]{12} as d-\d first/);
    }
    const history = await readHistory(fleet.session, fleet.znodes, 10);
    expect(history.length).toBe(said.filter(({ exitCode }) => exitCode === 0).length);
    expect(history.map((record) => record.previous)).toEqual([
      ...history.slice(1).map((record) => record.number),
      null,
    ]);
  });

  it('in a clone: takes origin, resolves branches, tags and short ids, remembers the path', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const origin = await fleet.origin();
    const a = await origin.commit('a', { f: 'a' });
    await git(origin.clone, 'tag', '-a', 'v1', '-m', 'v1');
    await git(origin.clone, 'push', '--quiet', 'origin', 'v1');
    const b = await origin.commit('b', { f: 'b' });
    const inClone = (...args: string[]) =>
      gitfleet(['publish', ...args, '-z', fleet.zookeeper, '--app', fleet.app], { cwd: origin.clone });
    const noPath = await inClone('HEAD');
    expect(noPath).toMatchObject({ exitCode: 2 });
    expect(noPath.stderr).toContain('--relative-path');
    for (const [rev, expected] of [
      ['HEAD', b],
      ['v1', a],
      [b.slice(0, 8), b],
      [a, a],
      ['master', null],
      ['-x', null],
    ] as const) {
      const said = await inClone(...(rev === '-x' ? ['--', rev] : [rev]), '--relative-path', 'shop');
      if (expected) {
        expect(said).toMatchObject({ exitCode: 0 });
        expect(await shownCommit(agent.root, 'shop')).toBe(expected);
      } else expect(said.exitCode).not.toBe(0);
    }
  });

  it('refuses a commit that the repository does not have', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    await origin.commit('a', { f: 'a' });
    const said = await fleet.publish({ url: origin.url, commitId: 'd'.repeat(40) });
    expect(said.exitCode).toBe(1);
    expect(said.stderr).toContain('COMMIT_NOT_ON_REMOTE');
    expect((await fleet.session.get(fleet.znodes.config))?.data.length).toBe(0);
  });

  it('exits 4 and says so when no agent is online', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const said = await fleet.publish(
      { url: origin.url, commitId: await origin.commit('a', { f: 'a' }) },
      '--timeout',
      '1s',
    );
    expect(said.exitCode).toBe(4);
    expect(said.stdout).toContain('no agent is online');
    const detached = await fleet.publish(
      { url: origin.url, commitId: await origin.commit('b', { f: 'b' }) },
      '--detach',
    );
    expect(detached.exitCode).toBe(0);
  });

  it('exits 1 with code, reason and hint when an agent refuses', async () => {
    fleet = await TestFleet.create(servers.connect());
    await fleet.startAgent('web-1', { args: ['--allow-url', 'https://git.example.com'] });
    await fleet.startAgent('web-2', { args: ['--allow-url', 'https://git.example.com'] });
    await fleet.online(2);
    const said = await fleet.publish(
      { url: 'https://other.example.com/shop.git', commitId: 'a'.repeat(40) },
      '--no-check',
    );
    expect(said.exitCode).toBe(1);
    expect(said.stdout).toContain('web-1: failed: NOT_ALLOWED');
    expect(said.stdout).toContain('--allow-url');
    expect(said.stdout).toContain('FAILED: 0/2 online agents');
    expect((await readDeployment(fleet.session, fleet.znodes, 1))?.outcome).toMatchObject({
      state: 'failed',
      expected: 2,
    });
  });

  it('exits 2 when the commit that was asked for has no such name', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    await origin.commit('a', { f: 'a' });
    await git(origin.clone, 'push', '--quiet', 'origin', 'HEAD:refs/tags/both', 'HEAD:refs/heads/both');
    for (const [rev, code] of [
      ['mian', 'NO_SUCH_REV'],
      ['both', 'AMBIGUOUS_REV'],
    ] as const) {
      const said = await fleet.run('publish', rev, '--url', origin.url, '--relative-path', 'shop');
      expect(said).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(code) });
    }
  });

  it('exits 6 when something newer comes while it waits, and names it', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const a = await origin.commit('a', { f: 'a' });
    const b = await origin.commit('b', { f: 'b' });
    const waiting = fleet.publish({ url: origin.url, commitId: a });
    await until('d-1', async () => await readDeployment(fleet.session, fleet.znodes, 1));
    expect((await fleet.publish({ url: origin.url, commitId: b }, '--detach')).exitCode).toBe(0);
    const said = await waiting;
    expect(said.exitCode).toBe(6);
    expect(said.stdout).toContain(` was superseded by d-2 ${b.slice(0, 10)}, published by `);
  });

  it('tells the truth by its exit code also when nobody reads what it says', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    const unread = async (...args: string[]) => {
      const command = [process.execPath, MAIN, ...args, '-z', fleet.zookeeper, '--app', fleet.app];
      const script = '"$@" | true; echo "$PIPESTATUS"';
      const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script, 'bash', ...command], {
        cwd: '/',
        env: cleanEnvironment(),
      });
      return { exitCode: Number(stdout), stderr };
    };
    const target = ['--url', origin.url, '--relative-path', 'shop', commitId];
    expect(await unread('publish', ...target, '--timeout', '1s')).toEqual({ exitCode: 4, stderr: '' });
    expect((await readDeployment(fleet.session, fleet.znodes, 1))?.number).toBe(1);
    expect(await unread('history')).toEqual({ exitCode: 0, stderr: '' });
    expect((await unread('rollback', '--json')).exitCode).toBe(1);
  });

  it('exits 7 within its bound when the app is not set up', async () => {
    fleet = await TestFleet.create(servers.connect());
    const said = await gitfleet(['status', '-z', fleet.zookeeper, '--app', '/app/other']);
    expect(said.exitCode).toBe(7);
    expect(said.stderr).toContain('gitfleet init --app /app/other (--open for a trial without access rights)');
  });
});

describe('rollback and history', () => {
  it('returns to what was proven, says so, and keeps the count', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const origin = await fleet.origin();
    const [a, b, c] = [
      await origin.commit('a', { f: 'a' }),
      await origin.commit('b', { f: 'b' }),
      await origin.commit('c', { f: 'c' }),
    ];
    expect((await fleet.run('rollback')).stderr).toContain('NOTHING_PROVEN');
    await fleet.publish({ url: origin.url, commitId: a });
    // Published without waiting: the next publisher judges it.
    await fleet.publish({ url: origin.url, commitId: b }, '--detach');
    await fleet.reported('web-1', 'b active', (report) => report.phase === 'active');
    await fleet.publish({ url: origin.url, commitId: c });
    await fleet.run('rollback');
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
    await fleet.run('rollback', '-m', 'further');
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    expect((await fleet.run('rollback')).exitCode).toBe(1);
    const named = await fleet.run('rollback', 'd-3');
    expect(named.exitCode).toBe(0);
    expect(await shownCommit(agent.root, 'shop')).toBe(c);
    const history = await fleet.run('history');
    expect(history.stdout.split('\n')[0]).toMatch(/^\* d-6 /);
    expect(history.stdout).toContain('(back to d-1) further');
    expect((await fleet.run('rollback', 'd-4')).stdout).toMatch(/^d-7: .* back to d-2\n/);
    expect((await fleet.run('history')).stdout).toMatch(/^\* d-7 .* {2}back to d-2\n/);
    expect(await fleet.run('rollback', 'd-99')).toMatchObject({ exitCode: 1 });
    expect(await fleet.run('rollback', '99')).toMatchObject({ exitCode: 1 });
    expect(await fleet.run('rollback', 'the-last-one')).toMatchObject({ exitCode: 2 });
  });

  it('a hold stops publishing with exit 5, a quarantined commit likewise', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    const { encodeHold, encodeQuarantine } = await import('../../../schemas/hold.ts');
    const hold = encodeHold({ reason: 'inventory', by: 'ann', at: 1, end: null });
    await fleet.session.set(fleet.znodes.hold, hold, -1);
    const held = await fleet.publish({ url: origin.url, commitId }, '--detach');
    expect(held).toMatchObject({ exitCode: 5 });
    expect(held.stderr).toMatch(/ann holds publishing since .* until gitfleet unhold: inventory/);
    await fleet.session.set(fleet.znodes.hold, Buffer.alloc(0), -1);
    const bad = encodeQuarantine([{ commitId: commitId as never, reason: 'burns', by: 'bob', at: 1 }]);
    await fleet.session.set(fleet.znodes.quarantine, bad, -1);
    const refused = await fleet.publish({ url: origin.url, commitId }, '--detach');
    expect(refused).toMatchObject({ exitCode: 5 });
    expect(refused.stderr).toContain('QUARANTINED');
    expect((await fleet.session.get(fleet.znodes.config))?.data.length).toBe(0);
  });
});
