import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownCredential } from '../../agent/state/own-credential.ts';
import { gitfleet } from '../support/commands.ts';

let prefix: string;
beforeEach(() => {
  prefix = mkdtempSync(join(tmpdir(), 'gitfleet-install-'));
});
afterEach(() => rmSync(prefix, { recursive: true, force: true }));

const install = (...more: string[]) => gitfleet(['agent', 'install', '--prefix', prefix, ...more]);
const uninstall = (...more: string[]) => gitfleet(['agent', 'uninstall', '--prefix', prefix, ...more]);
const read = (path: string) => readFileSync(join(prefix, path), 'utf8');
const mode = (path: string) => statSync(join(prefix, path)).mode & 0o777;

/** Every file and directory below the prefix with its mode, and the content of files. */
const all = () =>
  readdirSync(prefix, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((path) => {
      const found = statSync(join(prefix, path));
      return [path, found.mode, found.ino, found.isFile() ? read(path) : null];
    });

const SETTINGS = 'etc/gitfleet/gitfleet.yml';
const UNIT = 'etc/systemd/system/gitfleet-agent.service';
const RULE = 'etc/polkit-1/rules.d/50-gitfleet.rules';
const edit = (change: (text: string) => string) => writeFileSync(join(prefix, SETTINGS), change(read(SETTINGS)));

describe('gitfleet agent install', () => {
  it('makes directories, settings and unit, whatever the umask, and run again changes nothing', async () => {
    const before = process.umask(0o077);
    const first = await install();
    process.umask(before);
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toMatch(/gitfleet\.yml: made\n[\s\S]*gitfleet-agent\.service: made\ninstalled below/);
    expect(mode('etc/gitfleet')).toBe(0o755);
    expect(mode(SETTINGS)).toBe(0o644);
    expect(mode('var/lib/gitfleet')).toBe(0o700);
    expect(mode('srv/www')).toBe(0o755);
    expect(read(UNIT)).toMatch(/^ExecStart=\S*node \S*main\.cjs agent run$/m);
    expect(read(UNIT)).toMatch(/^ReadWritePaths=-\/srv\/www$/m);
    // What a step makes is for the user of the application too.
    expect(read(UNIT)).toMatch(/^UMask=0022$/m);
    const made = all();
    const second = await install();
    expect(second).toMatchObject({ exitCode: 0, stderr: '' });
    expect(second.stdout).toContain('nothing changed below');
    expect(second.stdout).not.toMatch(/: (made|changed|removed)/);
    expect(all()).toEqual(made);
  });

  it('keeps the settings of the operator, and brings unit and polkit rule to what they say', async () => {
    await install();
    edit((text) =>
      text
        .replace('root: /srv/www', 'root: "/srv/the 100% shop"')
        .replace('# restart: [shop.service]', 'restart: [shop.service, worker@1.service]'),
    );
    const edited = read(SETTINGS);
    expect((await install()).stdout).toMatch(
      /gitfleet\.yml: kept as it is\n[\s\S]*service: changed\n[\s\S]*rules: made/,
    );
    expect(read(SETTINGS)).toBe(edited);
    expect(read(UNIT)).toMatch(/^ReadWritePaths="-\/srv\/the 100%% shop"$/m);
    expect(read(RULE)).toContain('["shop.service","worker@1.service"]');
    expect((await install()).stdout).toContain('nothing changed');
    edit((text) => text.replace('restart: [shop.service, worker@1.service]', ''));
    expect((await install()).stdout).toMatch(/50-gitfleet\.rules: removed/);
  });

  it('leaves the unit to the Debian package where that brought one', async () => {
    const packaged = join(prefix, 'usr/lib/systemd/system');
    mkdirSync(packaged, { recursive: true });
    writeFileSync(join(packaged, 'gitfleet-agent.service'), '');
    await install();
    expect(() => read(UNIT)).toThrow('ENOENT');
    edit((text) => text.replace('root: /srv/www', 'root: /data/www'));
    expect((await install()).stdout).toMatch(/10-settings\.conf: made/);
    expect(read(`${UNIT}.d/10-settings.conf`)).toMatch(/^\[Service\]\nReadWritePaths=-\/data\/www$/m);
  });

  it('changes nothing where it shall only say what it would do, where settings are wrong, and where we are not root', async () => {
    const said = await install('--dry-run');
    expect(said.stdout).toMatch(/gitfleet\.yml: would be made\n[\s\S]*nothing was changed: --dry-run\n$/);
    expect(all()).toEqual([]);
    await install();
    edit((text) => `${text}nonsense: 1\n`);
    const before = all();
    const refused = await install();
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('unknown setting "nonsense"') });
    expect(all()).toEqual(before);
    expect(await install('--user', '-x')).toMatchObject({ exitCode: 2 });
  });
});

describe('gitfleet agent uninstall', () => {
  it('takes unit and rule away and keeps the data; --purge removes these, and never what is served', async () => {
    await install();
    edit((text) => text.replace('# restart: [shop.service]', 'restart: [shop.service]'));
    await install();
    mkdirSync(join(prefix, 'srv/www/.gitfleet'));
    mkdirSync(join(prefix, 'var/lib/gitfleet/apps'));
    await ownCredential(join(prefix, 'var/lib/gitfleet'), 'web-1');
    expect((await uninstall('--dry-run')).stdout).toMatch(/service: would be removed/);
    const said = await uninstall();
    expect(said).toMatchObject({ exitCode: 0, stderr: '' });
    expect(said.stdout).toMatch(/service: removed\n[\s\S]*rules: removed\n[\s\S]*kept: /);
    for (const gone of [UNIT, RULE]) expect(() => read(gone)).toThrow('ENOENT');
    for (const kept of [SETTINGS, 'var/lib/gitfleet/apps', 'srv/www']) expect(mode(kept)).toBeGreaterThan(0);
    expect((await uninstall('--purge')).stdout).toMatch(/srv\/www and the user gitfleet were kept/);
    expect(readdirSync(prefix, { recursive: true }).toSorted()).not.toContain('etc/gitfleet');
    expect(readdirSync(join(prefix, 'var/lib'))).toEqual([]);
    expect(readdirSync(join(prefix, 'srv/www'))).toEqual(['.gitfleet']);
  });

  it('keeps a state directory in which somebody else has files', async () => {
    await install();
    writeFileSync(join(prefix, 'var/lib/gitfleet/precious'), '');
    expect((await uninstall('--purge')).stderr).toMatch(/was kept: precious does not belong to an agent/);
    expect(readdirSync(join(prefix, 'var/lib/gitfleet'))).toEqual(['precious']);
  });
});

describe('the polkit rule', () => {
  type Rule = (action: object, subject: object) => string | undefined;
  let rule: Rule = () => 'none';
  const polkit = {
    Result: { YES: 'yes' },
    addRule: (added: Rule) => {
      rule = added;
    },
  };
  const asked = (unit: string, verb = 'restart', user = 'gitfleet', id = 'org.freedesktop.systemd1.manage-units') =>
    rule({ id, lookup: (name: string) => ({ unit, verb })[name] }, { user });

  it('allows this user to restart exactly these units, and says nothing to anything else', async () => {
    await install();
    edit((text) => text.replace('# restart: [shop.service]', 'restart: [shop.service, a@\\x2d.service]'));
    await install();
    runInNewContext(read(RULE), { polkit });
    expect(asked('shop.service')).toBe('yes');
    expect(asked('a@\\x2d.service')).toBe('yes');
    for (const other of ['ssh.service', 'shop.service.service', 'shop', '', 'a@x.service']) {
      expect(asked(other)).toBeUndefined();
    }
    for (const verb of ['start', 'stop', 'reload', 'kill', 'set-property']) {
      expect(asked('shop.service', verb)).toBeUndefined();
    }
    expect(asked('shop.service', 'restart', 'www-data')).toBeUndefined();
    expect(asked('shop.service', 'restart', 'gitfleet', 'org.freedesktop.login1.reboot')).toBeUndefined();
  });
});
