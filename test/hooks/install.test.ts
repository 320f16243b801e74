import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitOfHooks } from '../../cli/git-of-hooks.ts';
import { readRepositoryConfig } from '../../git/repository-config.ts';
import { type HookSettings, hookSettings, publishCommand } from '../../hooks/hook-settings.ts';
import { installHook } from '../../hooks/install.ts';
import type { RelativePath, RepositoryUrl } from '../../schemas/values.ts';
import { git } from '../support/commands.ts';

const exec = promisify(execFile);
let top: string;
let bare: string;

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'gitfleet-hook-'));
  bare = join(top, 'shop.git');
  await git(top, 'init', '--quiet', '--bare', '--template=', bare);
});
afterEach(() => rm(top, { recursive: true, force: true }));

const settings: HookSettings = {
  zookeeper: 'zk1:2181',
  app: '/app/business',
  branch: 'main',
  relativePath: 'shop' as RelativePath,
  url: 'https://git.example.com/shop.git' as RepositoryUrl,
  ...{ authFile: null, settings: null, tlsCaFile: null, tlsCertFile: null, tlsKeyFile: null },
};
const full: HookSettings = {
  ...settings,
  authFile: "/srv/ann's/publisher",
  settings: '/etc/shop.yml',
  ...{ tlsCaFile: '/etc/tls/ca.pem', tlsCertFile: '/etc/tls/our cert.pem', tlsKeyFile: '/etc/tls/key.pem' },
};
const install = (more: Partial<HookSettings> = {}, command = [process.execPath, '/main.js']) =>
  installHook(gitOfHooks(), bare, { ...settings, ...more }, command);

describe('the installed hook', () => {
  it("starts a gitfleet whose path holds blanks, quotes and the shell's signs", async () => {
    const odd = join(top, `it's $(touch hurt) "here"`);
    await mkdir(odd);
    await symlink(process.execPath, join(odd, 'node'));
    await writeFile(join(odd, 'main.mjs'), 'console.log(JSON.stringify(process.argv.slice(2)))');
    const { file } = await install({}, [join(odd, 'node'), join(odd, 'main.mjs')]);
    const { stdout, stderr } = await exec('/bin/sh', [file], { cwd: bare });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual(['hook', 'post-receive', '--repository', bare]);
    await rm(join(odd, 'node'));
    const said = await exec('/bin/sh', [file], { cwd: bare });
    expect(said.stderr).toBe(
      `gitfleet: not deployed: ${odd}/node is not there any more; run gitfleet hook install again\n`,
    );
  });

  it('knows all it was told, and forgets what a later installation does not say any more', async () => {
    await install(full);
    expect(hookSettings(await readRepositoryConfig(gitOfHooks(), bare))).toEqual(full);
    await install();
    const members = await readRepositoryConfig(gitOfHooks(), bare);
    expect(Object.keys(members).sort()).toEqual(['app', 'branch', 'relativepath', 'url', 'zookeeper']);
    expect(hookSettings(members)).toEqual(settings);
  });
});

describe('the command that publishes later', () => {
  it('says who one is, and quotes what a shell would take apart', () => {
    const plain =
      'gitfleet publish abc --url https://git.example.com/shop.git --relative-path shop --app /app/business';
    expect(publishCommand(settings, 'abc')).toBe(`${plain} -z zk1:2181`);
    expect(publishCommand(full, 'abc')).toBe(
      "GITFLEET_TLS_CA_FILE=/etc/tls/ca.pem GITFLEET_TLS_CERT_FILE='/etc/tls/our cert.pem' " +
        `GITFLEET_TLS_KEY_FILE=/etc/tls/key.pem ${plain} -z zk1:2181 ` +
        "--auth-file '/srv/ann'\\''s/publisher' --settings /etc/shop.yml",
    );
  });
});
