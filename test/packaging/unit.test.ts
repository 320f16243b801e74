import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentSettings, parseSettings } from '../../schemas/settings/settings.ts';
import { parseSettingsFile } from '../../schemas/settings/settings-file.ts';
import { mergeSettings } from '../../schemas/settings/settings-sources.ts';
import { gitfleet } from '../support/commands.ts';

const exec = promisify(execFile);
const PACKAGING = join(import.meta.dirname, '../../packaging');
const parse = (text: string) =>
  parseSettings(mergeSettings({ flags: {}, environment: {}, file: parseSettingsFile(text, 'gitfleet.yml') }), 'web-1');

describe('the unit', () => {
  let prefix: string;
  let unit: string;
  beforeEach(async () => {
    prefix = mkdtempSync(join(tmpdir(), 'gitfleet-unit-'));
    expect((await gitfleet(['agent', 'install', '--prefix', prefix, '--user', 'root'])).exitCode).toBe(0);
    // Under a name of its own, so that no unit of this machine takes part.
    unit = join(prefix, 'gitfleet-under-test.service');
    cpSync(join(prefix, 'etc/systemd/system/gitfleet-agent.service'), unit);
  });
  afterEach(() => rmSync(prefix, { recursive: true, force: true }));

  it('passes systemd-analyze verify, which would see a word that systemd does not know', async () => {
    const { stdout, stderr } = await exec('systemd-analyze', ['verify', '--man=no', unit]);
    expect(stdout + stderr).toBe('');
    writeFileSync(unit, readFileSync(unit, 'utf8').replace('ProtectClock=', 'ProtectClocks='));
    const wrong = await exec('systemd-analyze', ['verify', '--man=no', unit]);
    expect(wrong.stderr).toMatch(/Unknown key.*ProtectClocks/);
  });

  it('is exposed less than 3 of 10 by systemd-analyze security', async () => {
    writeFileSync(unit, readFileSync(unit, 'utf8').replace(/^(User|Group)=root$/gm, '$1=gitfleet'));
    const { stdout } = await exec('systemd-analyze', ['security', '--offline=true', '--threshold=29', unit]);
    const exposure = Number(/Overall exposure level for \S+: (\d+\.\d+)/.exec(stdout)?.[1]);
    expect(exposure).toBeLessThan(3);
    expect(exposure).toBeGreaterThan(0);
  });
});

describe.each(['gitfleet-serve.service', 'gitfleet-webhooks.service'] as const)('the unit %s', (name) => {
  it('passes systemd-analyze verify, is exposed less than 2 of 10, and runs as a user of its own', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gitfleet-unit-'));
    try {
      const unit = join(directory, name);
      const text = readFileSync(join(PACKAGING, name), 'utf8').replace('@GITFLEET@', '/bin/true');
      expect(text).not.toMatch(/@[A-Z]+@/);
      writeFileSync(unit, text.replace(/^(User|Group)=gitfleet-.*$/gm, '$1=root'));
      const { stdout, stderr } = await exec('systemd-analyze', ['verify', '--man=no', unit]);
      expect(stdout + stderr).toBe('');
      writeFileSync(unit, text);
      const { stdout: security } = await exec('systemd-analyze', ['security', '--offline=true', unit]);
      const exposure = Number(/Overall exposure level for \S+: (\d+\.\d+)/.exec(security)?.[1]);
      expect(exposure).toBeLessThan(2);
      expect(exposure).toBeGreaterThan(0);
      const user = name.replace('.service', '');
      expect(text.match(/^(User|Group|RuntimeDirectory|StateDirectory)=(.+)$/gm)).toEqual([
        `User=${user}`,
        `Group=${user}`,
        `RuntimeDirectory=${user}`,
        `StateDirectory=${user}`,
      ]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe('the settings template', () => {
  const text = readFileSync(join(PACKAGING, 'gitfleet.yml'), 'utf8');

  it('is what the schema takes, and grants nothing', () => {
    const settings = parse(text);
    expect(agentSettings(settings)).toMatchObject({ root: '/srv/www', state: '/var/lib/gitfleet', allowUrls: [] });
    expect(settings.zookeeper.authFile).toBeUndefined();
  });

  it('is also valid with every example of it taken in', () => {
    // An example is a line of YAML behind "# "; what is left are sentences.
    const eager = text
      .replace('  allowUrls: []\n', '  allowUrls:\n')
      .replace(/^( *)# ( *(?:- |[a-zA-Z]+:(?: |$)).*)$/gm, '$1$2');
    const settings = parse(eager);
    expect(settings.zookeeper.authFile).toBe('/etc/gitfleet/agent.auth');
    expect(settings.agent).toMatchObject({
      id: 'web-1',
      labels: { role: 'web' },
      allowUrls: ['https://git.example.com/shop', 'ssh://git@git.example.com/srv/git'],
      activate: { command: ['/usr/local/bin/shop-released'], timeout: 30_000 },
      restart: ['shop.service'],
    });
    expect(settings.agent.credentials).toHaveLength(2);
  });
});
