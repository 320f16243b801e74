import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { cleanEnvironment } from '../support/commands.ts';
import { temporaryDirectory } from '../support/git-origin.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLI = join(ROOT, 'dist', 'cli');
const script = readdirSync(CLI).find((name) => /^gitfleet-[0-9a-f]{12}\.cjs$/.test(name)) ?? 'none';
const shipped = ['main.cjs', script, `${script}.cache`];
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
  it('is complete: it runs where there is no package and no other file, and asks Node for its own modules only', () => {
    const asked = gitfleet([], 'status');
    expect(asked).toMatchObject({ status: 2, stdout: '' });
    expect(asked.stderr).toContain('gitfleet: SETTINGS: zookeeper');
    const text = readFileSync(join(alone, script), 'latin1');
    const names = [...text.matchAll(/\brequire\("(?:node:)?([^"]+)"\)/g)].map((match) => match[1] as string);
    // The one that is none is tried and may be missing: colours of a package that logs its debugging.
    expect([...new Set(names)].filter((name) => !builtinModules.includes(name))).toEqual(['supports-color']);
  });

  it('reads no code later, so that an agent that runs while it is replaced goes on with its own', () => {
    const code = readFileSync(join(alone, script), 'latin1').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '');
    expect(code.match(/.*\bimport\(.*/g) ?? []).toEqual([]);
  });

  it('starts from what V8 kept, made by the Node that built it', () => {
    const filename = join(alone, script);
    const cachedData = readFileSync(`${filename}.cache`).subarray(32);
    const loaded = new Script(readFileSync(filename, 'latin1'), { filename, cachedData });
    expect(loaded.cachedDataRejected).toBe(false);
  });

  it('does the same without it, with a damaged one, and where V8 refuses it; and never writes', () => {
    const cache = join(alone, `${script}.cache`);
    const whole = readFileSync(cache);
    const right = gitfleet([], '--help');
    expect(right).toMatchObject({ status: 0, stderr: '' });
    const damaged = [Buffer.alloc(0), whole.subarray(0, whole.length >> 1), Buffer.alloc(whole.length)];
    for (const at of [0, 40, whole.length >> 1, whole.length - 1]) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 0xff;
      damaged.push(changed);
    }
    for (const bytes of damaged) {
      writeFileSync(cache, bytes);
      const before = listing();
      expect(gitfleet([], '--help')).toEqual(right);
      expect(listing()).toEqual(before);
    }
    rmSync(cache);
    expect(gitfleet([], '--help')).toEqual(right);
    expect(readdirSync(alone).toSorted()).toEqual(shipped.slice(0, 2).toSorted());
    writeFileSync(cache, whole);
    // Flags are part of what V8 compares; another version of Node is refused in the same way.
    expect(gitfleet(['--no-opt', '--max-lazy'], '--help')).toEqual(right);
  });

  it('says where a bug is by the names of functions and sources', () => {
    const text = readFileSync(join(alone, script), 'latin1');
    expect(text).toMatch(/^\/\/ fleet\/publish-transaction\.ts$/m);
    expect(text).toMatch(/\basync function publishTarget\(/);
  });
});
