import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitfleet } from '../../support/commands.ts';
import { type Origin, TestFleet } from '../../support/fleet.ts';
import { commitOnly, startPush } from '../../support/git/host.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** What a rollback took from the fleet does not come back unnoticed, and what is in quarantine not at all. */
const servers = sharedServer();
let fleet: TestFleet;
let origin: Origin;
let bad: string;
beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  origin = await fleet.origin();
  await fleet.run('hook', 'install', origin.bare, '--relative-path', 'shop');
  await commitOnly(origin.clone, 'good');
  await push();
  bad = await commitOnly(origin.clone, 'bad');
  await push();
});
afterEach(() => fleet.stop());

async function push(...options: string[]): Promise<string> {
  const running = startPush(origin.clone, ['-o', 'gitfleet.wait=no', ...options, 'origin', 'HEAD:refs/heads/main']);
  expect(await running.ended).toBe(0);
  return running.said;
}
const inClone = (...args: string[]) =>
  gitfleet([...args, '-z', fleet.zookeeper, '--app', fleet.app], { cwd: origin.clone });
const wanted = async () => JSON.parse(String((await fleet.session.get(fleet.znodes.config))?.data)).commitId;
const goBack = (...more: string[]) => fleet.run('rollback', 'd-1', '-m', 'customers complain', '--detach', ...more);

describe('a push', () => {
  it('lists its commits, the newest ten, and warns of what a rollback took back', async () => {
    await goBack();
    for (let at = 1; at <= 11; at += 1) await commitOnly(origin.clone, `step ${at}`);
    const planned = await inClone('plan', 'HEAD', '--relative-path', 'shop', '--no-check');
    const said = await push();
    expect(said).toMatch(/remote: {3}12 commits:/);
    expect(said).toMatch(/remote: {5}[0-9a-f]{10} {2}step 11/);
    expect(said).toMatch(/remote: {5}and 2 more/);
    const warning = `warning: contains ${bad.slice(0, 10)}, which d-3 took back (customers complain)`;
    expect(said).toContain(warning);
    expect(planned.stdout).toContain(warning);
    // What is published after it brings nothing back any more.
    await commitOnly(origin.clone, 'after');
    expect(await push()).not.toContain('took back');
  });

  it('with a descendant of a commit in quarantine deploys only what is said to be fixed', async () => {
    await goBack('--quarantine');
    const fix = await commitOnly(origin.clone, 'fix');
    const refused = await push();
    expect(refused).toContain('pushed, but not deployed: QUARANTINED');
    expect(refused).toContain(`contains a commit in quarantine: ${bad.slice(0, 12)}`);
    expect(await wanted()).not.toBe(fix);
    const blocked = await inClone('plan', '--relative-path', 'shop');
    expect(blocked.stdout).toContain('blocked by QUARANTINED');
    expect(await inClone('publish', '--detach')).toMatchObject({ exitCode: 5 });
    const forced = await inClone('publish', '--detach', '--force', '-m', 'totals are right again');
    expect(forced).toMatchObject({ exitCode: 0 });
    expect(forced.stdout).toContain(`warning: contains ${bad.slice(0, 10)}, which d-3 took back (customers complain)`);
    expect(await wanted()).toBe(fix);
    expect((await fleet.session.get(fleet.znodes.quarantine))?.data.length).toBe(0);
  });

  it('is published without a clone that could tell, which is said', async () => {
    await goBack('--quarantine');
    const fix = await commitOnly(origin.clone, 'fix');
    await push();
    const said = await fleet.publish({ url: origin.url, commitId: fix }, '--detach');
    expect(said).toMatchObject({ exitCode: 0 });
    expect(said.stdout).toContain('no clone here tells whether it contains a commit in quarantine');
  });
});
