import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDeployment } from '../../../fleet/history.ts';
import { git } from '../../support/commands.ts';
import { type Origin, shownCommit, TestFleet } from '../../support/fleet.ts';
import { commitOnly, type GitHost, startGitHost } from '../../support/git/host.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
let host: GitHost;
let origin: Origin;
let url: string;

beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  await fleet.startAgents(2);
  await fleet.online(2);
  origin = await fleet.origin();
  host = await startGitHost(join(fleet.directory, 'host'));
  url = host.url(origin.bare);
});
afterEach(async () => {
  await host.stop();
  await fleet.stop();
});

async function install(...more: string[]): Promise<void> {
  expect(await fleet.run('hook', 'install', origin.bare, '--relative-path', 'shop', ...more)).toMatchObject({
    exitCode: 0,
  });
}

const converges = (commitId: string) =>
  until('the fleet shows the commit', async () => {
    const shown = await Promise.all(fleet.agents.map(({ root }) => shownCommit(root, 'shop')));
    return shown.every((each) => each === commitId);
  });
const outcome = async (number: number) =>
  (await readDeployment(fleet.session, fleet.znodes, number))?.outcome?.state ?? null;

/** A hook of somebody else that stops the push where it stands until it is let go. */
async function stopBefore(name: string): Promise<{ letGo: () => Promise<void> }> {
  const gate = join(fleet.directory, `${name}-go`);
  const file = join(origin.bare, 'hooks', name);
  await writeFile(file, `#!/bin/sh\necho 'in the middle' >&2\nwhile [ ! -e ${gate} ]; do sleep 0.05; done\n`);
  await chmod(file, 0o755);
  return { letGo: () => writeFile(gate, '') };
}

describe('git push over ssh', () => {
  it('shows the fleet and the verdict on the terminal that pushed', async () => {
    await install('--gate');
    const commitId = await commitOnly(origin.clone, 'Shop opens');
    const push = host.push(origin.clone, url, 'HEAD:main');
    expect(await push.ended).toBe(0);
    expect(push.said).toMatch(/remote: d-1: [0-9a-f]{10} at shop, by \S+ {2}Shop opens/);
    for (const { id } of fleet.agents)
      expect(push.said).toMatch(new RegExp(`remote: +${id}: active ${commitId.slice(0, 10)}`));
    expect(push.said).toMatch(/remote: d-1 [0-9a-f]{10}: 2\/2 online agents at/);
    for (const { root } of fleet.agents) expect(await shownCommit(root, 'shop')).toBe(commitId);
    expect(await outcome(1)).toBe('proven');
  });

  it.each(['SIGKILL', 'SIGINT'] as const)(
    'deploys what it received although the pusher is gone, by %s, before the publish',
    async (signal) => {
      const { letGo } = await stopBefore('post-receive');
      await install();
      const commitId = await commitOnly(origin.clone, 'one');
      const push = host.push(origin.clone, url, 'HEAD:main');
      await push.prints(/remote: in the middle/);
      await push.kill(signal);
      expect(await fleet.session.get(fleet.znodes.deployment(1))).toBe(null);
      await letGo();
      await converges(commitId);
      // Nobody reads its words, and still it sees the deployment to its end.
      await until('the outcome is written', async () => (await outcome(1)) === 'proven');
      expect(await git(origin.bare, 'for-each-ref', '--format=%(objectname)', 'refs/deployments')).toBe(commitId);
    },
  );

  it('deploys although the connection is cut while the fleet is followed', async () => {
    await install();
    for (const agent of fleet.agents) agent.process.kill('SIGSTOP');
    const commitId = await commitOnly(origin.clone, 'one');
    const push = host.push(origin.clone, url, 'HEAD:main');
    await push.prints(/remote: d-1/);
    await push.kill('SIGKILL');
    for (const agent of fleet.agents) agent.process.kill('SIGCONT');
    await converges(commitId);
    await until('the outcome is written', async () => (await outcome(1)) === 'proven');
  });

  it('two at once end on the tip, each with a verdict of its own', async () => {
    await install();
    const first = await commitOnly(origin.clone, 'one');
    const second = await commitOnly(origin.clone, 'two');
    // The branches are apart, so neither push is refused by git; both belong to the same app.
    await install('--branch', 'other');
    const pushes = [
      host.push(origin.clone, url, `${first}:refs/heads/main`),
      host.push(origin.clone, url, `${second}:refs/heads/other`),
    ];
    expect(await Promise.all(pushes.map((push) => push.ended))).toEqual([0, 0]);
    const last = JSON.parse((await fleet.session.get(fleet.znodes.config))?.data.toString() ?? '{}').commitId;
    expect([first, second]).toContain(last);
    await converges(last);
    const saidLast = pushes[last === first ? 0 : 1]?.said;
    expect(saidLast).toMatch(/remote: d-2 [0-9a-f]{10}: 2\/2 online agents at/);
    expect(pushes[last === first ? 1 : 0]?.said).toMatch(
      /remote: d-1 [0-9a-f]{10}(: 2\/2 online agents at| was superseded)/,
    );
  });
});

describe('push options', () => {
  it('say whether to wait and why, and warn about what is not known', async () => {
    await install();
    const commitId = await commitOnly(origin.clone, 'one');
    const options = [
      '-o',
      'gitfleet.wait=no',
      '-o',
      'gitfleet.message=for the fair',
      '-o',
      'gitfleet.color=red',
      '-o',
      'ci.skip',
    ];
    const push = host.push(origin.clone, '--quiet', ...options, url, 'HEAD:main');
    expect(await push.ended).toBe(0);
    expect(push.said).toMatch(/remote: d-1: [0-9a-f]{10} at shop, by \S+ {2}for the fair/);
    expect(push.said).toContain('push option gitfleet.color is unknown');
    expect(push.said).toMatch(/not waited for \(gitfleet\.wait=no\).*\n.*next: gitfleet attach d-1/);
    expect(push.said).not.toMatch(/agents at|ci\.skip/);
    await converges(commitId);
    const record = (await fleet.session.get(fleet.znodes.deployment(1)))?.data.toString() ?? '';
    expect(JSON.parse(record)).toMatchObject({ reason: 'for the fair', via: 'hook', ref: 'refs/heads/main' });
  });

  it('say how long to wait', async () => {
    await install();
    for (const agent of fleet.agents) agent.process.kill('SIGSTOP');
    await commitOnly(origin.clone, 'one');
    const push = host.push(origin.clone, '-o', 'gitfleet.timeout=1s', url, 'HEAD:main');
    expect(await push.ended).toBe(0);
    expect(push.said).toMatch(/remote: d-1 [0-9a-f]{10} still running after 1\.\d s: 0\/2 online agents/);
    for (const agent of fleet.agents) agent.process.kill('SIGCONT');
  });

  it('are no secret door: no push changes what pins a deployment', async () => {
    await install();
    const commitId = await commitOnly(origin.clone, 'one');
    expect(await host.push(origin.clone, url, 'HEAD:main').ended).toBe(0);
    const [ref = ''] = (await git(origin.bare, 'for-each-ref', '--format=%(refname)', 'refs/deployments')).split('\n');
    expect(ref).toBe(`refs/deployments/${fleet.app.slice(1).replaceAll('/', '+')}/1`);
    const deletion = host.push(origin.clone, url, `:${ref}`);
    expect(await deletion.ended).not.toBe(0);
    expect(await host.push(origin.clone, '--mirror', url).ended).toBe(0);
    expect(await git(origin.bare, 'rev-parse', ref)).toBe(commitId);
    expect(await readFile(join(origin.bare, 'config'), 'utf8')).toContain('hideRefs = refs/deployments');
  });
});
