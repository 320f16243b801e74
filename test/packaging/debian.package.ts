import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFleet } from '../support/fleet.ts';
import { type GitDaemon, startGitDaemon } from '../support/git/daemon.ts';
import { until } from '../support/until.ts';
import { realServers } from '../support/zookeeper/server.ts';
import { bootDebian, type DebianMachine } from './debian-machine.ts';

/**
 * `npm run test:package`: the Debian package on a fresh Debian 12 with systemd, from its installation to its purge; one
 * story, each case goes on where the last one ended.
 */
const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const VERSIONS = ['0.1.0', '0.1.1', '0.1.2'];
const servers = realServers(1);
let packages: string;
let machine: DebianMachine;
let fleet: TestFleet;
let daemon: GitDaemon;
let origin: Awaited<ReturnType<TestFleet['origin']>>;

beforeAll(async () => {
  packages = mkdtempSync(join(tmpdir(), 'gitfleet-packages-'));
  await exec('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', packages], { cwd: ROOT });
  const [tarball] = readdirSync(packages);
  for (const version of VERSIONS) {
    const options = ['--tarball', join(packages, tarball ?? ''), '--version', version, '--compress', 'none'];
    await exec(process.execPath, ['scripts/package-deb.mjs', '--out', packages, ...options], { cwd: ROOT });
  }
  machine = await bootDebian(packages);
  fleet = await TestFleet.create(servers.connect());
  origin = await fleet.origin();
  daemon = await startGitDaemon(fleet.directory);
}, 900_000);
afterAll(async () => {
  await machine?.stop();
  await daemon?.stop();
  await fleet?.stop();
  rmSync(packages, { recursive: true, force: true });
}, 120_000);

const debOf = (version: string) => join(packages, `gitfleet_${version}_$(dpkg --print-architecture).deb`);
const property = async (unit: string, name: string) =>
  (await machine.sh(`systemctl show --value -p ${name} ${unit}`)).trim();
const agentIs = (name: string) => property('gitfleet-agent', name);
const shown = async () => (await machine.sh('readlink /srv/www/shop')).trim().split('/').at(-1);
const journal = () => machine.sh('journalctl --quiet --no-pager --output=cat -u gitfleet-agent');

async function settings(agent: object): Promise<void> {
  const all = {
    zookeeper: { connect: fleet.zookeeper },
    app: fleet.app,
    agent: { id: 'web-1', root: '/srv/www', allowUrls: [daemon.url('')], ...agent },
  };
  await machine.sh(`cat > /etc/gitfleet/gitfleet.yml <<'EOT'\n${JSON.stringify(all)}\nEOT`);
}

async function publish(content: string): Promise<{ commitId: string; exitCode: number; said: string }> {
  const commitId = await origin.commit(content, { f: content });
  const { exitCode, stdout, stderr } = await fleet.publish({ url: daemon.url('shop.git'), commitId });
  return { commitId, exitCode, said: stdout + stderr };
}

async function deploys(content: string): Promise<void> {
  const published = await publish(content);
  expect(published.exitCode, `${published.said}\n${await journal()}`).toBe(0);
  expect(await shown()).toBe(published.commitId);
  expect(await machine.sh('cat /srv/www/shop/f')).toBe(content);
}

describe('the Debian package', () => {
  it('installs with a user, rights and settings of its own, and starts nothing', async () => {
    const { exitCode, stderr, stdout } = await machine.run('sh', '-c', `apt-get install -y ${debOf('0.1.0')}`);
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stdout).toContain('edit /etc/gitfleet/gitfleet.yml, then: systemctl enable --now gitfleet-agent');
    const rights = await machine.sh(
      'stat -c "%n %a %U" /var/lib/gitfleet /srv/www /etc/gitfleet /etc/gitfleet/gitfleet.yml',
    );
    expect(rights.trim().split('\n')).toEqual([
      '/var/lib/gitfleet 700 gitfleet',
      '/srv/www 755 gitfleet',
      '/etc/gitfleet 755 root',
      '/etc/gitfleet/gitfleet.yml 644 root',
    ]);
    expect(await machine.sh('getent passwd gitfleet')).toMatch(/:\/var\/lib\/gitfleet:\/usr\/sbin\/nologin$/m);
    expect(await machine.sh('gitfleet --version')).toBe('0.1.0\n');
    expect(await machine.sh('dpkg --verify gitfleet')).toBe('');
    const files = await machine.sh('dpkg -L gitfleet');
    for (const file of [
      'man/man1/gitfleet-publish.1.gz',
      'bash-completion/completions/gitfleet',
      'zsh/vendor-completions/_gitfleet',
      'fish/vendor_completions.d/gitfleet.fish',
    ])
      expect(files).toContain(`/usr/share/${file}\n`);
    expect(await machine.sh('cat /usr/share/doc/gitfleet/copyright')).toContain('Copyright (c) 2026 The gitfleet');
    expect(await agentIs('ActiveState')).toBe('inactive');
    const verified = await machine.run('systemd-analyze', 'verify', '--man=no', 'gitfleet-agent.service');
    expect(verified).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  it('runs an agent under its own user in its sandbox, which says when it is ready, and deploys', async () => {
    await settings({});
    await machine.sh('systemctl enable --now --quiet gitfleet-agent');
    expect(await agentIs('ActiveState')).toBe('active');
    const pid = await agentIs('MainPID');
    expect((await machine.sh(`stat -c %U /proc/${pid}`)).trim()).toBe('gitfleet');
    expect(await machine.sh(`grep -E "NoNewPrivs|CapEff" /proc/${pid}/status`)).toBe(
      'CapEff:\t0000000000000000\nNoNewPrivs:\t1\n',
    );
    await deploys('first');
    await until(
      'the status line',
      async () => (await agentIs('StatusText')) === `serves ${(await shown())?.slice(0, 10)}`,
    );
  });

  it('is restarted by the watchdog when it is stuck, and by nobody when ZooKeeper is away', async () => {
    await machine.sh(`mkdir -p /run/systemd/system/gitfleet-agent.service.d
      printf '[Service]\\nWatchdogSec=3\\n' > /run/systemd/system/gitfleet-agent.service.d/soon.conf
      systemctl daemon-reload; systemctl restart gitfleet-agent`);
    const first = await agentIs('MainPID');
    await servers.first.kill('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect([await agentIs('MainPID'), await agentIs('NRestarts')]).toEqual([first, '0']);
    await servers.first.restart();
    await machine.sh(`kill -STOP ${first}`);
    await until(
      'another process',
      async () => (await agentIs('ActiveState')) === 'active' && (await agentIs('MainPID')) !== first,
    );
    expect(await agentIs('NRestarts')).toBe('1');
    await machine.sh('rm /run/systemd/system/gitfleet-agent.service.d/soon.conf; systemctl daemon-reload');
    await machine.sh('systemctl restart gitfleet-agent');
    await fleet.online(1);
    await deploys('after the watchdog');
  });

  it('reads its settings anew on systemctl reload, and keeps the old ones where the new ones are wrong', async () => {
    const pid = await agentIs('MainPID');
    await settings({ nonsense: true });
    await machine.sh('systemctl reload gitfleet-agent');
    await until('a refusal', async () => (await journal()).includes('new settings rejected'));
    await settings({ drift: 'heal' });
    await machine.sh('systemctl reload gitfleet-agent');
    await until('a change', async () => (await journal()).includes('settings reloaded: agent.drift'));
    await until('it is ready again', async () => (await agentIs('SubState')) === 'running');
    expect(await agentIs('MainPID')).toBe(pid);
  });

  it('kills with an overdue step what detached itself from it, in the control group that systemd delegates', async () => {
    const detached = 'setsid sh -c "echo \\$\\$ > $PWD/../detached; exec sleep 300" & sleep 300';
    await settings({
      prepare: { command: ['sh', '-c', `cd /var/lib/gitfleet && mkdir -p x && cd x; ${detached}`], timeout: '2s' },
    });
    await machine.sh('systemctl reload gitfleet-agent');
    await until('a change', async () => (await journal()).includes('settings reloaded: agent.drift, agent.prepare'));
    const published = await publish('a step that hangs');
    expect(published.exitCode).toBe(1);
    expect(published.said).toContain('PREPARE_FAILED');
    const pid = (await machine.sh('cat /var/lib/gitfleet/detached')).trim();
    expect(pid).toMatch(/^[1-9]\d*$/);
    expect((await machine.run('test', '-e', `/proc/${pid}`)).exitCode).not.toBe(0);
    expect(await machine.sh('systemctl show --value -p ControlGroup gitfleet-agent')).toContain(
      'gitfleet-agent.service',
    );
    await machine.sh('rm -r /var/lib/gitfleet/x /var/lib/gitfleet/detached');
    await settings({ drift: 'heal' });
    await machine.sh('systemctl reload gitfleet-agent');
    await deploys('after the step that hung');
  });

  it('restarts exactly the units of its settings, by leave of polkit', async () => {
    await machine.sh(`for unit in shop other; do
        printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > /etc/systemd/system/$unit.service
      done; systemctl daemon-reload; systemctl start shop other`);
    const before = [await property('shop', 'MainPID'), await property('other', 'MainPID')];
    await settings({ restart: ['shop.service'] });
    await machine.sh('systemctl reload gitfleet-agent');
    await until('a change', async () => (await journal()).includes('settings reloaded: agent.drift, agent.restart'));
    const refused = await publish('without leave');
    expect(refused.exitCode).toBe(1);
    expect(refused.said).toMatch(/RESTART_FAILED[\s\S]*gitfleet agent install/);
    const installed = await machine.sh('gitfleet agent install');
    expect(installed).toMatch(/50-gitfleet\.rules: made/);
    expect(installed).not.toMatch(/service: made/);
    expect(await machine.sh('gitfleet agent install')).toContain('nothing changed');
    await deploys('with leave');
    expect(await property('shop', 'MainPID')).not.toBe(before[0]);
    const other = await machine.run(
      'runuser',
      '-u',
      'gitfleet',
      '--',
      'systemctl',
      'restart',
      '--no-ask-password',
      'other',
    );
    expect(other.exitCode).not.toBe(0);
    expect(await property('other', 'MainPID')).toBe(before[1]);
  });

  it('obeys root on the server, who leaves no file there that the agent could not read', async () => {
    const before = await shown();
    await machine.sh('gitfleet agent suspend -m trial; gitfleet agent status; gitfleet agent resume');
    await machine.sh('gitfleet agent rollback -m trial');
    expect(await shown()).not.toBe(before);
    await machine.sh('gitfleet agent resume');
    await until('the fleet is followed again', async () => (await shown()) === before);
    expect(await machine.sh('find /var/lib/gitfleet /srv/www/.gitfleet ! -user gitfleet')).toBe('');
  });

  it('is upgraded under a running agent, which goes on with the version that it is', async () => {
    await machine.sh('printf "#!/bin/sh\\nexit 101\\n" > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d');
    const pid = await agentIs('MainPID');
    await machine.sh(`dpkg --install ${debOf('0.1.1')}`);
    expect(await machine.sh('gitfleet --version; ls /usr/lib/gitfleet')).toBe('0.1.1\n0.1.1\ncurrent\n');
    expect(await agentIs('MainPID')).toBe(pid);
    await deploys('by code whose files are gone');
    expect((await fleet.report('web-1'))?.agentVersion).toBe('0.1.0');
    await machine.sh('rm /usr/sbin/policy-rc.d');
  });

  it('is upgraded in the middle of a deployment, which the new version brings to its end', async () => {
    // The first time it does not come to an end by itself, the second time it does.
    await machine.sh(`cat > /usr/local/bin/slow <<'EOT'
#!/bin/sh
if [ -e /srv/www/activations ]; then echo ended >> /srv/www/activations; exit; fi
echo begun > /srv/www/activations
exec sleep 600
EOT
      chmod +x /usr/local/bin/slow`);
    await settings({ activate: { command: ['/usr/local/bin/slow'], timeout: '20m' } });
    await machine.sh('systemctl restart gitfleet-agent');
    await fleet.online(1);
    const deployed = publish('during an upgrade');
    await until('the command has begun', async () => (await machine.run('cat', '/srv/www/activations')).exitCode === 0);
    // All the while the command is there, as one version or the other.
    await machine.sh(
      '(while :; do gitfleet --version || echo broken; done) > /root/calls 2>&1 & echo $! > /root/caller',
    );
    await machine.sh(`dpkg --install ${debOf('0.1.2')}`);
    await machine.sh('kill $(cat /root/caller)');
    const { commitId, exitCode, said } = await deployed;
    expect(exitCode, `${said}\n${await journal()}`).toBe(0);
    expect(await shown()).toBe(commitId);
    expect((await machine.sh('cat /srv/www/activations')).trim().split('\n')).toEqual(['begun', 'ended']);
    expect((await fleet.report('web-1'))?.agentVersion).toBe('0.1.2');
    const calls = (await machine.sh('cat /root/calls')).split('\n');
    expect([...new Set(calls.filter((line) => /^\d/.test(line)))]).toEqual(['0.1.1', '0.1.2']);
    // One call at a time: no more than the one that was just being loaded when the older files went.
    expect(calls.filter((line) => line === 'broken').length).toBeLessThanOrEqual(1);
    expect(await agentIs('ActiveState')).toBe('active');
  });

  it('is removed without its data, and purged with them; what is served stays served', async () => {
    const kept = '/etc/gitfleet/gitfleet.yml /var/lib/gitfleet/lock /srv/www/shop/f';
    const commit = await shown();
    await machine.sh('apt-get remove -y gitfleet');
    expect(await agentIs('ActiveState')).toBe('inactive');
    await machine.sh(`ls ${kept}`);
    for (const gone of ['/usr/bin/gitfleet', '/usr/lib/gitfleet', '/usr/lib/systemd/system/gitfleet-agent.service']) {
      expect((await machine.run('ls', gone)).exitCode, gone).not.toBe(0);
    }
    await machine.sh('apt-get purge -y gitfleet');
    const traces = 'find /etc /var/lib /usr -xdev -iname "*gitfleet*" -not -path "*/apt/*" -not -path "*/log/*"';
    expect(await machine.sh(traces)).toBe('');
    expect(await shown()).toBe(commit);
    expect(await machine.sh('cat /srv/www/shop/f')).toBe('during an upgrade');
    expect(await machine.sh('getent passwd gitfleet')).toContain('gitfleet');
  });

  it('leaves no trace where nothing was ever served', async () => {
    await machine.sh('rm -rf /srv/www');
    await machine.sh(`apt-get install -y ${debOf('0.1.0')}`);
    await machine.sh('apt-get purge -y gitfleet');
    expect((await machine.run('getent', 'passwd', 'gitfleet')).exitCode).not.toBe(0);
    expect((await machine.run('ls', '/srv/www')).exitCode).not.toBe(0);
  });
});
