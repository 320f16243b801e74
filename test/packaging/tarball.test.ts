import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnvironment } from '../support/commands.ts';
import { TestFleet } from '../support/fleet.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const servers = sharedServer();

describe('the tarball of npm pack', () => {
  let scratch: string;
  let gitfleet: string;
  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'gitfleet-tarball-'));
    // The build is up to date (test/support/lanes/build.ts), and others run from it.
    const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', scratch];
    await exec('npm', pack, { cwd: ROOT });
    const [tarball] = readdirSync(scratch);
    const prefix = join(scratch, 'prefix');
    // A registry that answers nobody: the tarball brings all that it needs.
    const offline = ['--offline', '--registry', 'http://127.0.0.1:1', '--cache', join(scratch, 'cache')];
    await exec('npm', [
      'install',
      '--global',
      '--prefix',
      prefix,
      '--no-audit',
      ...offline,
      join(scratch, tarball ?? ''),
    ]);
    gitfleet = join(prefix, 'bin/gitfleet');
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('brings every dependency along: npm install --save adds none to the list by itself', () => {
    const { dependencies, bundleDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(bundleDependencies.toSorted()).toEqual(Object.keys(dependencies).toSorted());
  });

  it('installs without a registry, and has what the command needs and nothing of the project besides', async () => {
    const home = join(scratch, 'prefix/lib/node_modules/gitfleet');
    const top = ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'node_modules', 'package.json', 'packaging'];
    expect(readdirSync(home).toSorted()).toEqual(top);
    expect(readdirSync(join(home, 'node_modules'))).not.toContain('vitest');
    const pages = readdirSync(join(scratch, 'prefix/share/man/man1'));
    expect(pages).toEqual(readdirSync(join(home, 'dist/share/man/man1')));
    expect(pages).toContain('gitfleet.1');
    const env = cleanEnvironment();
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect((await exec(gitfleet, ['--version'], { env })).stdout.trim()).toBe(version);
    expect((await exec(gitfleet, ['--help'], { env })).stdout).toContain('agent');
    const image = join(scratch, 'image');
    await exec(gitfleet, ['agent', 'install', '--prefix', image], { env });
    const unit = readFileSync(join(image, 'etc/systemd/system/gitfleet-agent.service'), 'utf8');
    expect(unit).toContain(`${home}/dist/cli/main.cjs agent run\n`);
  });

  it('runs an agent that deploys', async () => {
    const fleet = await TestFleet.create(servers.connect());
    const where = ['--root', join(scratch, 'root'), '--state', join(scratch, 'state'), '--id', 'web-1'];
    const allowed = ['--allow-url', `file://${fleet.directory}`];
    const args = ['agent', 'run', ...where, ...allowed, '-z', fleet.zookeeper, '--app', fleet.app];
    const child = spawn(gitfleet, args, { env: cleanEnvironment(), stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      await fleet.online(1);
      const origin = await fleet.origin();
      const commitId = await origin.commit('a', { f: 'packed' });
      expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
      expect(readFileSync(join(scratch, 'root/shop/f'), 'utf8')).toBe('packed');
    } finally {
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
      await fleet.stop();
    }
  });
});
