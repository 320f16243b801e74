import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endOrphans, marksOf } from '../../git/run/orphans.ts';
import { createGit } from '../../git/run/process.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../support/git/origin.ts';
import { aStore, failureOf, inCommit, NEVER, onDisk, QUIET, release } from './test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let first: CommitId;
let second: CommitId;
const directory = () => join(base, 'state/apps/shop/store.git');

beforeEach(() => {
  ({ path: base, remove } = temporaryDirectory('recover'));
  origin = createOrigin(join(base, 'origin.git'));
  first = origin.commit({ a: '1', 'd/b': '1' });
  second = origin.commit({ a: '2' });
});
afterEach(() => remove());

/** A store with the first commit released. */
async function served() {
  const store = await aStore(base);
  await store.fetch({ url: origin.url, commitId: first }, NEVER);
  return { store, live: await release(store, base, first) };
}

describe('recovery', () => {
  it('makes an absent store, and is repeatable', async () => {
    const store = await aStore(base);
    await store.recover();
    expect(statSync(store.directory).mode & 0o777).toBe(0o700);
    expect(await store.pinned()).toEqual([]);
  });

  it('removes every lock and half pack that a killed git leaves', async () => {
    const { store } = await served();
    await store.spare(join(base, 'root/spare')).write(first, NEVER);
    const admins = readdirSync(join(directory(), 'worktrees')).map((name) => `worktrees/${name}`);
    const left = [
      ...['shallow.lock', 'packed-refs.lock', 'packed-refs.new', 'config.lock', 'HEAD.lock', 'gc.pid', 'shallow_Xy12'],
      ...['refs/pins/x.lock', 'refs/heads/deep/y.lock', `refs/pins/${second}.lock`],
      ...[
        'objects/pack/tmp_pack_x',
        'objects/pack/tmp_idx_x',
        'objects/pack/pack-12.keep',
        'objects/pack/pack-34.pack',
      ],
      ...['objects/ab/tmp_obj_x', 'objects/tmp_objdir-incoming-x/pack/y'],
      ...admins.flatMap((admin) => [`${admin}/index.lock`, `${admin}/HEAD.lock`]),
    ];
    for (const name of left) {
      mkdirSync(join(directory(), name, '..'), { recursive: true });
      writeFileSync(join(directory(), name), '');
    }
    const next = await aStore(base);
    for (const name of left) expect(existsSync(join(directory(), name)), name).toBe(false);
    await next.fetch({ url: origin.url, commitId: second }, NEVER);
    await next.spare(join(base, 'root/spare')).write(second, NEVER);
    await next.spare(join(base, 'root/spare')).verify(second, NEVER);
  });

  it('does not wait for a next start: a lock that a killed fetch left stops no later one', async () => {
    const { store } = await served();
    origin.git(['gc', '--quiet']); // What is packed is not copied but fetched.
    writeFileSync(join(directory(), 'shallow.lock'), '');
    writeFileSync(join(directory(), 'objects/pack/tmp_pack_x'), '');
    await store.fetch({ url: origin.url, commitId: second }, NEVER);
    expect(existsSync(join(directory(), 'objects/pack/tmp_pack_x'))).toBe(false);
  });

  it('drops the mark of a commit that never came, which a fetch of more history would fail at', async () => {
    const { store } = await served();
    const list = join(directory(), 'shallow');
    const marks = readFileSync(list, 'utf8');
    writeFileSync(list, `${'ab'.repeat(20)}\n${marks}`);
    await aStore(base);
    expect(readFileSync(list, 'utf8')).toBe(marks);
    const everything = ['fetch', '--depth=50', '--no-tags', origin.url, '+refs/heads/*:refs/test/*'];
    execFileSync('git', [`--git-dir=${directory()}`, ...everything], { stdio: 'pipe' });
    store.close();
  });

  it('forgets half-made work trees and finishes moves and removals', async () => {
    const { store, live } = await served();
    const admin = readFileSync(join(live, '.git'), 'utf8').trim().slice('gitdir: '.length);
    mkdirSync(join(directory(), 'worktrees/half'), { recursive: true });
    writeFileSync(join(directory(), 'worktrees/half/gitdir'), `${base}/root/nowhere/.git\n`);
    // As if killed between the rename and its repair.
    const moved = join(base, 'root/moved');
    writeFileSync(join(admin, 'gitfleet-moving'), `${moved}\n`);
    execFileSync('mv', [live, moved]);
    await store.recover();
    expect(readdirSync(join(directory(), 'worktrees'))).not.toContain('half');
    expect((await store.inspect(moved, first, NEVER)).head).toBe(first);
    writeFileSync(join(admin, 'gitfleet-removing'), `${join(base, 'root/.removing-moved')}\n`);
    execFileSync('mv', [moved, join(base, 'root/.removing-moved')]);
    await store.recover();
    expect(readdirSync(join(base, 'root')).filter((name) => name.includes('moved'))).toEqual([]);
    expect(readdirSync(join(directory(), 'worktrees'))).toEqual([]);
  });

  it("takes a copy of a release, or a link to it, for nobody's, and a reboot for a reason to write every file again", async () => {
    const { store, live } = await served();
    execFileSync('cp', ['-a', live, join(base, 'root/copy')]);
    symlinkSync(live, join(base, 'root/link'));
    for (const other of ['root/copy', 'root/link']) {
      expect((await failureOf(store.inspect(join(base, other), first, NEVER))).code).toBe('NOT_OUR_WORK_TREE');
    }
    const spare = store.spare(join(base, 'root/spare'));
    await spare.write(first, NEVER);
    await spare.verify(first, NEVER);
    const admin = readFileSync(join(spare.directory, '.git'), 'utf8').trim().slice('gitdir: '.length);
    writeFileSync(join(admin, 'gitfleet-proved'), `${first} another-boot\n`);
    writeFileSync(join(admin, 'gitfleet-boot'), 'another-boot\n');
    expect(await spare.proved()).toBe(null);
    const before = statSync(join(spare.directory, 'a')).ino;
    await spare.write(first, NEVER);
    expect(statSync(join(spare.directory, 'a')).ino).not.toBe(before);
  });
});

describe('a broken store', () => {
  const packs = () => readdirSync(join(directory(), 'objects/pack')).filter((name) => name.endsWith('.pack'));
  const damages: Record<string, () => void> = {
    'a truncated pack': () => truncateSync(join(directory(), 'objects/pack', packs()[0] as string), 40),
    'a missing pack': () => rmSync(join(directory(), 'objects/pack', packs()[0] as string)),
    'no HEAD': () => rmSync(join(directory(), 'HEAD')),
    'an unreadable config': () => writeFileSync(join(directory(), 'config'), '[core\n\0'),
    'nothing but the work trees': () => {
      for (const name of readdirSync(directory()))
        if (name !== 'worktrees') rmSync(join(directory(), name), { recursive: true });
    },
    'nothing at all': () => rmSync(directory(), { recursive: true }),
  };

  it.each(Object.entries(damages))(
    'with %s is replaced by the next fetch; the live release keeps serving',
    async (_, damage) => {
      const { store, live } = await served();
      store.close();
      damage();
      const next = await aStore(base);
      expect(onDisk(live)).toEqual({ a: '644 1', 'd/b': '644 1' });
      await next.fetch({ url: origin.url, commitId: first }, NEVER);
      await next.fetch({ url: origin.url, commitId: second }, NEVER);
      expect(onDisk(await release(next, base, second))).toEqual(inCommit(origin.directory, second));
      expect(onDisk(live)).toEqual({ a: '644 1', 'd/b': '644 1' });
      const left = readdirSync(join(base, 'state/apps/shop'));
      expect(left).toEqual(['store.git']);
      next.close();
    },
  );

  it('is doubted at the first look when it breaks while running', async () => {
    const { store, live } = await served();
    store.close();
    writeFileSync(join(directory(), 'config'), '[core\n\0');
    expect(await store.has(first, origin.url)).toBe(false);
    expect(await store.fetch({ url: origin.url, commitId: first }, NEVER)).toEqual({ network: false });
    expect(await store.has(first, origin.url)).toBe(true);
    expect(await store.inspect(live, first, NEVER)).toMatchObject({ head: first, changed: [], missing: [] });
    store.close();
  });

  it('is replaced while running too, with the commits of the kept releases, and kept while the origin is away', async () => {
    const { store, live } = await served();
    await store.fetch({ url: origin.url, commitId: second }, NEVER);
    // All objects loose, one of the second commit overwritten by another.
    const git = (...args: string[]) =>
      execFileSync('git', ['--git-dir', directory(), ...args], { encoding: 'utf8' }).trim();
    const id = git('rev-parse', `${second}:a`);
    const wrong = origin.git(['hash-object', '-w', '--stdin'], 'evil');
    const packed = join(directory(), 'objects/pack');
    execFileSync('sh', [
      '-c',
      'mv "$1" "$2"; mkdir "$1"; for p in "$2"/*.pack; do git --git-dir="$3" unpack-objects -q <"$p"; done',
      'sh',
      packed,
      join(base, 'aside'),
      directory(),
    ]);
    rmSync(join(directory(), 'objects', id.slice(0, 2), id.slice(2)));
    writeFileSync(
      join(directory(), 'objects', id.slice(0, 2), id.slice(2)),
      readFileSync(join(origin.directory, 'objects', wrong.slice(0, 2), wrong.slice(2))),
    );
    store.close();
    const spare = store.spare(join(base, 'root/spare'));
    await spare.write(first, NEVER);
    await spare.verify(first, NEVER);
    expect((await failureOf(spare.write(second, NEVER))).code).toBe('STORE_BROKEN');
    expect(await store.has(second, origin.url)).toBe(false);
    const away = `file://${base}/away` as RepositoryUrl;
    expect((await failureOf(store.fetch({ url: away, commitId: second }, NEVER))).code).toBe('REPOSITORY_NOT_FOUND');
    expect(onDisk(live)).toEqual(inCommit(origin.directory, first));
    expect(await store.fetch({ url: origin.url, commitId: second }, NEVER)).toEqual({ network: true });
    expect((await store.pinned()).sort()).toEqual([first, second].sort());
    expect(await store.inspect(live, first, NEVER, { deep: true })).toMatchObject({
      head: first,
      changed: [],
      strangers: [],
    });
    expect(onDisk(await release(store, base, second))).toEqual(inCommit(origin.directory, second));
    store.close();
  });
});

describe('a store that is being replaced', () => {
  it('is there after a crash between the two renames', async () => {
    const { store, live } = await served();
    writeFileSync(`${directory()}.suspect`, '');
    rmSync(join(directory(), 'objects/pack'), { recursive: true });
    store.close();
    const dying = await aStore(base, {
      failpoint: (name) => {
        if (name === 'store.set-aside') throw new Error('dead');
      },
    });
    await expect(dying.fetch({ url: origin.url, commitId: second }, NEVER)).rejects.toThrow('dead');
    expect(existsSync(directory())).toBe(false);
    dying.close();
    const next = await aStore(base);
    await next.fetch({ url: origin.url, commitId: second }, NEVER);
    expect((await next.pinned()).sort()).toEqual([first, second].sort());
    expect(await next.inspect(live, first, NEVER)).toMatchObject({ head: first, changed: [], missing: [] });
    expect(readdirSync(join(base, 'state/apps/shop'))).toEqual(['store.git']);
    next.close();
  });
});

describe('children of a killed agent', () => {
  it('are found by their birth marks and ended; those of a live agent are left alone', async () => {
    const store = join(base, 'store.git');
    const script = 'trap "" TERM INT; sh -c "trap : TERM; sleep 300"; :';
    const orphan = spawn('sh', ['-c', script], {
      env: { PATH: process.env['PATH'], ...marksOf(store), GITFLEET_OWNER: '999999999.1' },
      detached: true,
      stdio: 'ignore',
    });
    const ours = spawn('sleep', ['300'], { env: { PATH: process.env['PATH'], ...marksOf(store) }, stdio: 'ignore' });
    const other = spawn('sleep', ['300'], {
      env: { PATH: process.env['PATH'], ...marksOf(`${store}2`), GITFLEET_OWNER: '999999999.1' },
      stdio: 'ignore',
    });
    try {
      await systemClock.sleep(100);
      const alive = (child: typeof ours) => child.exitCode === null && child.signalCode === null;
      expect(await endOrphans(store, systemClock)).toBeGreaterThanOrEqual(3); // Both shells and the sleep.
      await systemClock.sleep(50);
      expect([orphan, ours, other].map(alive)).toEqual([false, true, true]);
      expect(await endOrphans(store, systemClock)).toBe(0);
      expect(await endOrphans(base, systemClock)).toBe(1); // All stores of a state directory.
      expect(alive(ours)).toBe(true);
    } finally {
      for (const child of [orphan, ours, other]) child.kill('SIGKILL');
    }
  });

  it('hold the state lock, in every process that git starts', async () => {
    const file = join(base, 'lock');
    const fd = openSync(file, 'w');
    try {
      const git = createGit({ clock: systemClock, log: QUIET, lockFd: fd });
      const said = await git.output(['grandchild'], {
        config: ['alias.grandchild=!readlink /proc/self/fd/3'],
        cwd: base,
      });
      expect(said.trim()).toBe(file);
    } finally {
      closeSync(fd);
    }
  });
});

describe('the leash', () => {
  const git = createGit({ clock: systemClock, log: QUIET });

  it('gives git an environment made from nothing', async () => {
    process.env['GIT_SSH_COMMAND'] = 'touch /tmp/never';
    process.env['CANARY'] = 'secret';
    try {
      const said = await git.output(['env'], { config: ['alias.env=!env'], cwd: base });
      expect(said).not.toContain('CANARY');
      expect(said).not.toContain('touch /tmp/never');
      expect(said).toContain('GIT_ALLOW_PROTOCOL=\n');
    } finally {
      delete process.env['GIT_SSH_COMMAND'];
      delete process.env['CANARY'];
    }
  });

  it('kills the whole group at the deadline and says so', async () => {
    const config = ['alias.hang=!sleep 299 & sleep 299'];
    const failure = await failureOf(git.output(['hang'], { config, cwd: base, timeoutMs: 300 }));
    expect(failure).toMatchObject({ code: 'GIT_TIMEOUT', next: 'retry' });
    await systemClock.sleep(50);
    const running = readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        } catch {
          return '';
        }
      });
    expect(running.filter((line) => line === 'sleep\u0000299\u0000')).toEqual([]);
  });

  it('leaves no index locked by a git that was killed while it wrote one, and goes on', async () => {
    // Git, but one that takes the lock and then gets stuck where it would write the index.
    const bin = join(base, 'bin');
    mkdirSync(bin);
    const stuck = join(base, 'stuck');
    const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    const script = `#!/bin/sh
for word in "$@"; do
  case $word in --git-dir=*) dir=\${word#--git-dir=};; update-index) hang=1;; esac
done
if [ -n "$hang" ] && [ -e ${stuck} ]; then : > "$dir/index.lock"; : > ${stuck}.now; exec sleep 298; fi
exec ${real} "$@"
`;
    writeFileSync(join(bin, 'git'), script, { mode: 0o755 });
    const store = await aStore(base, { path: `${bin}:${process.env['PATH']}` });
    await store.fetch({ url: origin.url, commitId: first }, NEVER);
    const live = await release(store, base, first);
    const admin = readFileSync(join(live, '.git'), 'utf8').trim().slice('gitdir: '.length);
    utimesSync(join(admin, 'index'), 1, 1); // An inspection writes the index only in a later second.
    writeFileSync(stuck, '');
    const newer = new AbortController();
    const inspected = store.inspect(live, first, newer.signal, { except: ['made'] }); // Which only git compares.
    await expect.poll(() => existsSync(`${stuck}.now`)).toBe(true);
    expect(existsSync(join(admin, 'index.lock'))).toBe(true);
    newer.abort(new DOMException('a newer target', 'AbortError'));
    await expect(inspected).rejects.toThrow('a newer target');
    expect(existsSync(join(admin, 'index.lock'))).toBe(false);
    rmSync(stuck);
    expect(await store.inspect(live, first, NEVER)).toMatchObject({ head: first, changed: [], missing: [] });
    store.close();
  });

  it('says when there is no git', async () => {
    const none = createGit({ clock: systemClock, log: QUIET, path: base });
    expect(await failureOf(none.output(['version'], { cwd: base }))).toMatchObject({ code: 'NO_GIT', next: 'stall' });
  });
});
