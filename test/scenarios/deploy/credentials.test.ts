import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitfleet } from '../../support/commands.ts';
import { TestFleet } from '../../support/fleet.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
let count = 0;
beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect(), `/of-ann${++count}/shop`, { open: false });
});
afterEach(() => fleet.stop());

const file = (role: string) => join(fleet.directory, 'gitfleet-credentials', `${role}.auth`);

describe('whoever lacks a credential is told which one', () => {
  it('and none that was not given is blamed', async () => {
    for (const command of [['status'], ['history'], ['doctor'], ['hold', '-m', 'why']]) {
      const { exitCode, stdout, stderr } = await fleet.run(...command);
      expect(exitCode).toBe(command[0] === 'doctor' ? 1 : 7);
      expect(stdout + stderr).toContain('no credential is given here');
      expect(stdout + stderr).toMatch(/--auth-file|GITFLEET_AUTH_FILE/);
      expect(stdout + stderr).not.toContain('the credential in zookeeper.authFile');
    }
  });

  it('where its role may not, or it is of another app', async () => {
    const target = [
      ['publish', 'a'.repeat(40)],
      ['--url', 'https://h.example.com/r'],
      ['--relative-path', 'shop'],
    ];
    const asViewer = await fleet.run(...target.flat(), '--no-check', '--detach', '--auth-file', file('viewer'));
    expect(asViewer.exitCode).toBe(7);
    expect(asViewer.stderr).toContain('the credential given here (viewer) does not allow this');
    expect(asViewer.stderr).toContain('publisher.auth');

    const doctor = await fleet.run('doctor', '--auth-file', file('viewer'));
    expect(doctor).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/FAIL {2}publish .*not publish/) });
    const asPublisher = await fleet.run('doctor', '--auth-file', file('publisher'));
    expect(asPublisher).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('may publish') });

    const other = join(fleet.directory, 'of-bob');
    const init = ['init', '-z', fleet.zookeeper, '--app', `/of-bob${count}/shop`, '--credentials', other];
    expect((await gitfleet(init)).exitCode).toBe(0);
    const asStranger = await fleet.run('status', '--auth-file', join(other, 'viewer.auth'));
    expect(asStranger.stderr).toContain(`(viewer) does not belong to ${fleet.app}`);
  });

  it('and --open is advised to nobody who has one', async () => {
    const missing = ['status', '-z', fleet.zookeeper, '--app', '/elsewhere/shop'];
    const given = await gitfleet([...missing, '--auth-file', file('viewer')]);
    expect(given.stderr).toContain('run once: gitfleet init --app /elsewhere/shop (');
    expect(given.stderr).not.toContain('--open');
    expect((await gitfleet(missing)).stderr).toContain('--open for a trial without access rights');
  });
});

it('init below an app of others names what is in the way, and leaves no credentials that nothing knows', async () => {
  const parent = fleet.app.slice(0, fleet.app.lastIndexOf('/'));
  const directory = join(fleet.directory, 'creds-w');
  const init = ['init', '-z', fleet.zookeeper, '--app', `${parent}/w`, '--credentials', directory];
  const refused = await gitfleet(init);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain(`${parent}/w cannot be made: ${parent} belongs to an app with other credentials`);
  await expect(access(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  // With those of the parent it is made.
  const same = await gitfleet([...init.slice(0, -1), join(fleet.directory, 'gitfleet-credentials')]);
  expect(same.exitCode).toBe(0);
});
