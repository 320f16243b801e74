import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { cleanEnvironment } from '../support/commands.ts';
import { temporaryDirectory } from '../support/git/origin.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLI = join(ROOT, 'dist', 'cli');
const sizeOf = (name: string) => statSync(join(CLI, name)).size;
const scripts = readdirSync(CLI).filter((name) => /^gitfleet-[0-9a-f]{12}\.cjs$/.test(name));
/** In the order in which the first file names them. */
const named = [...readFileSync(join(CLI, 'main.cjs'), 'utf8').matchAll(/gitfleet-[0-9a-f]{12}\.cjs/g)];
const [publishing = 'none', serving = 'none', whole = 'none'] = named.map(([name]) => name);
/** The server runs for weeks, and starts without compiled code. */
const compiled = [publishing, whole];
const shipped = ['main.cjs', ...scripts, ...compiled.map((name) => `${name}.cache`)];
const servers = sharedServer();
const place = temporaryDirectory('build');
afterAll(place.remove);

/** What the build ships, and nothing else: no packages, no modules. */
const alone = join(place.path, 'dist', 'cli');
beforeEach(() => {
  rmSync(place.path, { recursive: true, force: true });
  mkdirSync(alone, { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(place.path, 'package.json'));
  for (const name of shipped) cpSync(join(CLI, name), join(alone, name));
});

function gitfleet(nodeFlags: string[], ...args: string[]) {
  const env = cleanEnvironment();
  const run = spawnSync(process.execPath, [...nodeFlags, join(alone, 'main.cjs'), ...args], { env, encoding: 'utf8' });
  return { status: run.status, signal: run.signal, stdout: run.stdout, stderr: run.stderr };
}
const listing = () => readdirSync(alone).map((name) => [name, statSync(join(alone, name)).mtimeMs]);

describe('what the build ships', () => {
  it('is three scripts: what publishes needs the first, the server the second, and all else the third', () => {
    expect(scripts.toSorted()).toEqual([publishing, serving, whole].toSorted());
    rmSync(join(alone, whole));
    rmSync(join(alone, serving));
    for (const args of [
      ['publish', '--help'],
      ['deploy', '--help'],
      ['hook', 'post-receive', '--help'],
    ]) {
      expect(gitfleet([], ...args)).toMatchObject({ status: 0, stderr: '' });
    }
    expect(gitfleet([], 'publish', 'HEAD').stderr).toContain('gitfleet: SETTINGS: zookeeper');
    cpSync(join(CLI, whole), join(alone, whole));
    expect(sizeOf(publishing)).toBeLessThan(sizeOf(whole));
    cpSync(join(CLI, serving), join(alone, serving));
    rmSync(join(alone, publishing));
    expect(gitfleet([], 'serve', '--help')).toMatchObject({ status: 0, stderr: '' });
    rmSync(join(alone, serving));
    for (const args of [['--help'], ['status', '--help'], ['hook', 'status', '--help'], ['help', 'publish']]) {
      expect(gitfleet([], ...args)).toMatchObject({ status: 0, stderr: '' });
    }
    expect(gitfleet([], '--help').stdout).toMatch(/^ +publish\|deploy/m);
  });

  it.each([
    ['publish', publishing],
    ['status', whole],
    ['serve', serving],
  ])(
    'is complete: %s runs where there is no package and no other file, and asks Node for its own modules only',
    (verb, script) => {
      const asked = gitfleet([], verb);
      expect(asked).toMatchObject({ status: 2, stdout: '' });
      expect(asked.stderr).toContain('gitfleet: SETTINGS: zookeeper');
      const text = readFileSync(join(alone, script), 'latin1');
      const names = [...text.matchAll(/\brequire\("(?:node:)?([^"]+)"\)/g)].map((match) => match[1] as string);
      // The one that is none is tried and may be missing: colours of a package that logs its debugging.
      const others = [...new Set(names)].filter((name) => !builtinModules.includes(name));
      expect(others).toEqual(['supports-color']);
    },
  );

  it.each(scripts)(
    'reads no code later, so that an agent that runs while it is replaced goes on with its own: %s',
    (script) => {
      const code = readFileSync(join(alone, script), 'latin1').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '');
      expect(code.match(/.*\bimport\(.*/g) ?? []).toEqual([]);
    },
  );

  it.each(compiled)('starts from what V8 kept, made by the Node that built it: %s', (script) => {
    const filename = join(alone, script);
    const cachedData = readFileSync(`${filename}.cache`).subarray(8);
    const loaded = new Script(readFileSync(filename, 'latin1'), { filename, cachedData });
    expect(loaded.cachedDataRejected).toBe(false);
  });

  it.each([
    ['publish --help', publishing],
    ['--help', whole],
  ])('does the same without it, with a damaged one, and where V8 refuses it; and never writes: %s', (words, script) => {
    const args = words.split(' ');
    const cache = join(alone, `${script}.cache`);
    const kept = readFileSync(cache);
    const right = gitfleet([], ...args);
    expect(right).toMatchObject({ status: 0, stderr: '' });
    const damaged = [
      Buffer.alloc(0),
      kept.subarray(0, 4),
      kept.subarray(0, kept.length >> 1),
      Buffer.alloc(kept.length),
    ];
    for (const at of [0, 40, kept.length >> 1, kept.length - 1]) {
      const changed = Buffer.from(kept);
      changed[at] = (changed[at] as number) ^ 0xff;
      damaged.push(changed);
    }
    for (const bytes of damaged) {
      writeFileSync(cache, bytes);
      const before = listing();
      expect(gitfleet([], ...args)).toEqual(right);
      expect(listing()).toEqual(before);
    }
    rmSync(cache);
    expect(gitfleet([], ...args)).toEqual(right);
    expect(readdirSync(alone).toSorted()).toEqual(shipped.filter((name) => name !== `${script}.cache`).toSorted());
    writeFileSync(cache, kept);
    // Flags are part of what V8 compares; another version of Node is refused in the same way.
    expect(gitfleet(['--no-opt', '--max-lazy'], ...args)).toEqual(right);
  });

  it('fails, and does not wait, where the publish that is kept compiled ends before it has connected', () => {
    const script = join(place.path, 'ends.cjs');
    writeFileSync(script, "(function () { process.stdout.write('no settings'); })");
    const keep = spawnSync(process.execPath, [join(ROOT, 'scripts', 'keep-compiled.mjs'), script], {
      timeout: 20_000,
      encoding: 'utf8',
    });
    expect(keep).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('no settings') });
    expect(readdirSync(place.path)).not.toContain('ends.cjs.cache');
  });

  it('loads for a publish none of the modules of Node that take long and that a publish does not need', () => {
    const app = ['-z', servers.connect(), '--app', '/app/build'];
    expect(gitfleet([], 'init', '--open', ...app)).toMatchObject({ status: 0 });
    const probe = join(place.path, 'probe.cjs');
    writeFileSync(probe, "process.on('exit', () => process._rawDebug(JSON.stringify(process.moduleLoadList)));");
    const target = ['a'.repeat(40), '--url', 'https://git.example.com/shop.git', '--relative-path', 'shop'];
    const run = gitfleet(['-r', probe], 'publish', ...target, '--detach', '--no-check', ...app);
    expect(run).toMatchObject({ status: 0 });
    const loaded = JSON.parse(run.stderr) as string[];
    expect(loaded).toContain('NativeModule net');
    const slow = ['assert', 'child_process', 'crypto', 'http', 'perf_hooks', 'tls', 'internal/fs/promises'];
    expect(slow.filter((name) => loaded.includes(`NativeModule ${name}`))).toEqual([]);
  });

  it('says where a bug is by the names of functions and sources', () => {
    for (const script of compiled) {
      const text = readFileSync(join(alone, script), 'latin1');
      expect(text).toMatch(/^\/\/ fleet\/publish-transaction\.ts$/m);
      expect(text).toMatch(/\basync function publishTarget\(/);
    }
  });
});
