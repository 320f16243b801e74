import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkPushed } from '../../../git/objects/check-push.ts';
import { CONTENT_RULES } from '../../../git/objects/content.ts';
import { nameProblem, symlinkProblem } from '../../../git/objects/hostile-names.ts';
import { createGit } from '../../../git/run/process.ts';
import type { Store } from '../../../git/store.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, type Files, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { aStore, failureOf, inCommit, NEVER, onDisk, QUIET, release } from '../test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let store: Store;

beforeEach(async () => {
  ({ path: base, remove } = temporaryDirectory('hostile'));
  origin = createOrigin(join(base, 'origin.git'));
  store = await aStore(base);
});
afterEach(() => remove());

/** Deploys a good commit, then tries `commitId`; the good release must be untouched. */
async function refusal(commitId: CommitId, on = store) {
  const good = origin.commit({ good: 'yes' }, { branch: 'good', orphan: true });
  await on.fetch({ url: origin.url, commitId: good }, NEVER);
  const directory = join(base, 'root/.gitfleet/shop/releases', good);
  if (!existsSync(directory)) await release(on, base, good);
  const failure = await failureOf(
    on.fetch({ url: origin.url, commitId }, NEVER).then(() => release(on, base, commitId)),
  );
  expect(onDisk(directory)).toEqual({ good: '644 yes' });
  return failure;
}

/** A commit whose tree git itself would never write: entries as raw bytes. */
function rawCommit(entries: [mode: string, name: string, id: string][]): CommitId {
  const bytes = entries.map(([mode, name, id]) =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]),
  );
  const tree = origin.git(['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'], Buffer.concat(bytes));
  return commitOf(tree);
}

function commitOf(tree: string): CommitId {
  const who = 'A <a@example.com> 1700000000 +0000';
  const text = `tree ${tree}\nauthor ${who}\ncommitter ${who}\n\nodd\n`;
  const id = origin.git(['hash-object', '-t', 'commit', '-w', '--stdin'], text) as CommitId;
  origin.git(['update-ref', `refs/heads/odd-${id.slice(0, 8)}`, id]);
  return id;
}

const blob = (text = 'evil') => origin.git(['hash-object', '-w', '--stdin'], text);
const treeOf = (name: string, id: string) =>
  origin.git(
    ['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'],
    Buffer.concat([Buffer.from(`100644 ${name}\0`), Buffer.from(id, 'hex')]),
  );

describe('a tree that escapes or deceives', () => {
  it('is refused by the objects themselves, in every spelling', async () => {
    const trees: [string, string, string][] = [
      ['40000', '.git', treeOf('config', blob())],
      ['40000', '.GIT', treeOf('config', blob())],
      ['40000', 'git~1', treeOf('config', blob())],
      ['40000', '.g\u200cit', treeOf('config', blob())],
      ['40000', '..', treeOf('evil', blob())],
      ['40000', '.', treeOf('evil', blob())],
      ['100644', 'a/../../evil', blob()],
      ['100644', '/tmp/evil', blob()],
      ['120000', '.gitmodules', blob('/etc/passwd')],
    ];
    for (const entry of trees) {
      const failure = await refusal(rawCommit([entry]));
      expect(['BAD_OBJECTS', 'UNSAFE_TREE'], `${entry[1]}: ${failure.message}`).toContain(failure.code);
      expect(failure.next).toBe('stall');
    }
    const twice = await refusal(
      rawCommit([
        ['100644', 'a', blob('1')],
        ['100644', 'a', blob('2')],
      ]),
    );
    expect(twice.code).toBe('BAD_OBJECTS');
    expect(existsSync(join(base, 'evil'))).toBe(false);
  });

  it('is refused for symlinks that leave the release, and taken with those that stay', async () => {
    const leaving: Record<string, string> = {
      a: '/etc/passwd',
      b: '../outside',
      'd/c': '../../outside',
      'd/e': 'f/../../../outside',
      'd/f': './/../..//outside',
      up: 'd/../..',
    };
    for (const [path, link] of Object.entries(leaving)) {
      const failure = await refusal(origin.commit({ [path]: { link }, x: '1' }, { orphan: true }));
      expect(failure, path).toMatchObject({ code: 'UNSAFE_TREE', next: 'stall' });
      expect(failure.message).toContain(JSON.stringify(path));
      expect(failure.hint).toContain('agent.content.symlinks: allow');
    }
    const staying = { a: { link: 'x' }, 'd/e/f': { link: '../../x' }, 'd/g': { link: '..' }, dangling: { link: 'no' } };
    const commitId = origin.commit({ ...staying, x: '1' }, { orphan: true });
    await store.fetch({ url: origin.url, commitId }, NEVER);
    expect(onDisk(await release(store, base, commitId))).toEqual(inCommit(origin.directory, commitId));
    const strict = await aStore(join(base, 'strict'), { rules: { symlinks: 'forbid' } });
    expect(await refusal(commitId, strict)).toMatchObject({
      code: 'UNSAFE_TREE',
      hint: expect.stringContaining('agent.content.symlinks'),
    });
    const open = await aStore(join(base, 'open'), { rules: { symlinks: 'allow' } });
    const absolute = origin.commit({ a: { link: '/etc/hostname' } }, { orphan: true });
    await open.fetch({ url: origin.url, commitId: absolute }, NEVER);
    await release(open, join(base, 'open'), absolute);
  });

  it.each(['contained', 'allow'] as const)(
    'is refused for a link that no file system takes (links: %s)',
    async (symlinks) => {
      const on = await aStore(base, { rules: { symlinks } });
      const commitId = origin.commit({ l: { link: 'x/'.repeat(3_000) }, x: '1' }, { orphan: true });
      expect(await refusal(commitId, on)).toMatchObject({ code: 'UNSAFE_TREE', next: 'stall' });
      const longest = origin.commit({ l: { link: `${'x/'.repeat(2_047)}x` }, x: '1' }, { orphan: true });
      await on.fetch({ url: origin.url, commitId: longest }, NEVER);
      expect(onDisk(await release(on, base, longest))).toEqual(inCommit(origin.directory, longest));
      on.close();
    },
  );

  it('is refused for control characters in names, and taken with merely odd ones', async () => {
    for (const name of ['a\nb', 'a\u001b[31m', 'tab\there']) {
      expect(await refusal(rawCommit([['100644', name, blob()]])), JSON.stringify(name)).toMatchObject({
        code: 'UNSAFE_TREE',
      });
    }
    const odd: Files = {
      '-rf': '1',
      '--': '2',
      'a b': '3',
      'ü/ß': '4',
      '"q"': '5',
      '*?[': '6',
      "it's": '7',
      'b\\x2d': '8',
    };
    const commitId = origin.commit(odd, { orphan: true });
    await store.fetch({ url: origin.url, commitId }, NEVER);
    expect(onDisk(await release(store, base, commitId))).toEqual(inCommit(origin.directory, commitId));
  });

  it('knows the rules for names and links one by one', () => {
    const limits = { maxDepth: 3, maxPathBytes: 20, maxSegmentBytes: 10 };
    for (const good of ['a', 'a/b/c', '.gitignore', '.github/x', 'git~2', '...', 'a.git']) {
      expect(nameProblem(good, limits), good).toBe(null);
    }
    for (const bad of [
      '',
      '/a',
      'a//b',
      'a/./b',
      'a/../b',
      '.git',
      'a/.GiT',
      '.git. .',
      '.git::$x',
      'GIT~1',
      'a/b/c/d',
      'x'.repeat(11),
      'aaaaaaaaa/aaaaaaaaa/a',
    ]) {
      expect(nameProblem(bad, limits), bad).not.toBe(null);
    }
    for (const [path, target] of [
      ['a', 'b'],
      ['a/b', '..'],
      ['a/b', '../c/d'],
      ['a/b/c', '../../x/y/'],
      ['a', '.'],
    ] as const) {
      expect(symlinkProblem(path, target), `${path} -> ${target}`).toBe(null);
    }
    for (const [path, target] of [
      ['a', '..'],
      ['a', '/'],
      ['a', ''],
      ['a/b', '../../..'],
      ['a/b', 'c/..'],
      ['a', 'b\0c'],
    ] as const) {
      expect(symlinkProblem(path, target), `${path} -> ${target}`).not.toBe(null);
    }
  });
});

describe('a tree that is too much', () => {
  it('is refused before it is written: a bomb of a few objects and a million paths', async () => {
    let id = blob('boom');
    let mode = '100644';
    for (let level = 0; level < 6; level++) {
      const entries = Array.from({ length: 10 }, (_, at) =>
        Buffer.concat([Buffer.from(`${mode} ${level}${at}\0`), Buffer.from(id, 'hex')]),
      );
      id = origin.git(['hash-object', '-t', 'tree', '-w', '--stdin'], Buffer.concat(entries));
      mode = '40000';
    }
    expect(await refusal(commitOf(id))).toMatchObject({ code: 'TOO_LARGE', next: 'stall' });
  });

  it('is refused by depth, by file and by total', async () => {
    const tight = await aStore(join(base, 'tight'), { rules: { maxFileBytes: 1_000, maxTotalBytes: 5_000 } });
    const deep = origin.commit({ [`${'d/'.repeat(80)}f`]: '1' }, { orphan: true });
    expect((await refusal(deep, tight)).code).toBe('UNSAFE_TREE');
    const big = origin.commit({ big: 'x'.repeat(1_001) }, { orphan: true });
    expect(await refusal(big, tight)).toMatchObject({ code: 'TOO_LARGE' });
    const many = Object.fromEntries(Array.from({ length: 6 }, (_, at) => [`f${at}`, 'x'.repeat(999)]));
    expect(await refusal(origin.commit(many, { orphan: true }), tight)).toMatchObject({ code: 'TOO_LARGE' });
  });
});

describe('a tree of long ago', () => {
  /** Early tools wrote modes with a zero in front; git reads them right. */
  function zeroPadded(): CommitId {
    const entry = (mode: string, name: string, id: string) =>
      Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]);
    const raw = (bytes: Buffer) => origin.git(['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'], bytes);
    const inner = raw(entry('100644', 'deep', blob('deep')));
    return commitOf(raw(Buffer.concat([entry('100644', 'a', blob('a')), entry('040000', 'd', inner)])));
  }

  it('is deployed, by all ways into the spare, and taken by the gate', async () => {
    const commitId = zeroPadded();
    await store.fetch({ url: origin.url, commitId }, NEVER);
    expect(onDisk(await release(store, base, commitId))).toEqual({ a: '644 a', 'd/deep': '644 deep' });
    const spare = store.spare(join(base, 'root/.gitfleet/shop/spare'));
    await spare.write(commitId, NEVER);
    await spare.verify(commitId, NEVER);
    origin.git(['update-ref', 'refs/heads/main', commitId]);
    const next = origin.commit({ 'd/deep': 'changed', 'd/new': 'new' }, { branch: 'main' });
    await store.fetch({ url: origin.url, commitId: next }, NEVER);
    expect(onDisk(await release(store, base, next))).toEqual(inCommit(origin.directory, next));
    await checkPushed(gitOfOrigin(), origin.directory, commitId, CONTENT_RULES, NEVER);
  });

  const gitOfOrigin = () => createGit({ clock: systemClock, log: QUIET });

  it('that fsck refuses is refused by agent and gate alike', async () => {
    const twice = rawCommit([
      ['100644', 'a', blob('1')],
      ['100644', 'a', blob('2')],
    ]);
    const unsorted = rawCommit([
      ['100644', 'b', blob('1')],
      ['100644', 'a', blob('2')],
    ]);
    for (const commitId of [twice, unsorted]) {
      expect(await refusal(commitId)).toMatchObject({ code: 'BAD_OBJECTS', next: 'stall' });
      const pushed = checkPushed(gitOfOrigin(), origin.directory, commitId, CONTENT_RULES, NEVER);
      expect(await failureOf(pushed)).toMatchObject({ code: 'BAD_OBJECTS', next: 'stall' });
    }
  });
});

describe('content that is not what it seems', () => {
  it('refuses submodules by name, or leaves them out where the settings say so', async () => {
    const commitId = origin.commit({ a: '1', 'lib/sub': { module: 'ab'.repeat(20) } }, { orphan: true });
    const failure = await refusal(commitId);
    expect(failure).toMatchObject({ code: 'SUBMODULES', next: 'stall' });
    expect(failure.message).toContain('lib/sub');
    const lenient = await aStore(join(base, 'lenient'), { rules: { submodules: 'ignore' } });
    await lenient.fetch({ url: origin.url, commitId }, NEVER);
    expect(onDisk(await release(lenient, join(base, 'lenient'), commitId))).toEqual({ a: '644 1' });
  });

  it('refuses LFS pointers by name where the attributes name the filter, and nowhere else', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 12345\n`;
    const lfs = { '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n', 'x/y.bin': pointer, plain: 'p' };
    const commitId = origin.commit(lfs, { orphan: true });
    const failure = await refusal(commitId);
    expect(failure).toMatchObject({ code: 'LFS_POINTERS', next: 'stall' });
    expect(failure.message).toContain('x/y.bin');
    const lenient = await aStore(join(base, 'lenient'), { rules: { lfs: 'pointers' } });
    await lenient.fetch({ url: origin.url, commitId }, NEVER);
    const directory = await release(lenient, join(base, 'lenient'), commitId);
    expect(readFileSync(join(directory, 'x/y.bin'), 'utf8')).toBe(pointer);
    const example = origin.commit({ 'docs/pointer.txt': pointer }, { orphan: true });
    await store.fetch({ url: origin.url, commitId: example }, NEVER);
    await release(store, base, example);
  });

  it('writes the bytes of the blobs: no attribute of the tree changes them, no filter runs', async () => {
    const commitId = origin.commit(
      {
        '.gitattributes': [
          '*.id ident',
          '*.crlf text eol=crlf',
          '*.u16 text working-tree-encoding=UTF-16',
          '*.lfs filter=lfs',
          '*.evil filter=evil',
          'version export-subst',
        ].join('\n'),
        'a.id': '$Id$\n',
        'b.crlf': 'one\ntwo\r\nthree\n',
        'c.u16': 'text\n',
        'd.lfs': 'small\n',
        'e.evil': 'plain\n',
        version: '$Format:%H$\n',
      },
      { orphan: true },
    );
    await store.fetch({ url: origin.url, commitId }, NEVER);
    // As if a filter were configured on this server.
    for (const way of ['smudge', 'clean', 'process']) {
      execFileSync('git', ['--git-dir', store.directory, 'config', `filter.evil.${way}`, `touch ${base}/ran`]);
    }
    const directory = await release(store, base, commitId);
    expect(onDisk(directory)).toEqual(inCommit(origin.directory, commitId));
    expect(await store.inspect(directory, commitId, NEVER)).toMatchObject({ changed: [], missing: [], strangers: [] });
    expect(existsSync(join(base, 'ran'))).toBe(false);
  });

  it('runs no hook, pager or monitor that the store names, and follows no replacement', async () => {
    const commitId = origin.commit({ a: 'real' });
    const other = origin.commit({ a: 'replaced' }, { branch: 'other', orphan: true });
    for (const id of [commitId, other]) await store.fetch({ url: origin.url, commitId: id }, NEVER);
    const git = (...args: string[]) => execFileSync('git', ['--git-dir', store.directory, ...args]);
    git('replace', commitId, other);
    const script = join(base, 'hook');
    writeFileSync(script, `#!/bin/sh\ntouch ${base}/ran\n`, { mode: 0o755 });
    git('config', 'core.hooksPath', base);
    git('config', 'core.fsmonitor', script);
    git('config', 'core.pager', script);
    execFileSync('cp', [script, join(base, 'post-checkout')]);
    execFileSync('cp', [script, join(base, 'reference-transaction')]);
    const directory = await release(store, base, commitId);
    expect(onDisk(directory)).toEqual({ a: '644 real' });
    expect(existsSync(join(base, 'ran'))).toBe(false);
  });

  it('sees an object that was changed in the store, and a byte that was changed in a release', async () => {
    const commitId = origin.commit({ a: 'good content\n', b: '1' });
    await store.fetch({ url: origin.url, commitId }, NEVER);
    const git = (...args: string[]) =>
      execFileSync('git', ['--git-dir', store.directory, ...args], { encoding: 'utf8' }).trim();
    const id = git('rev-parse', `${commitId}:a`);
    const file = join(store.directory, 'objects', id.slice(0, 2), id.slice(2));
    const evil = origin.git(['hash-object', '-w', '--stdin'], 'evil content\n');
    explode(store.directory);
    rmSync(file, { force: true });
    writeFileSync(file, readFileSync(join(origin.directory, 'objects', evil.slice(0, 2), evil.slice(2))));
    expect(git('cat-file', 'blob', id)).toBe('evil content');
    // Another process of the agent: what it finds was not hashed on arrival.
    const later = await aStore(base);
    const failure = await failureOf(release(later, base, commitId));
    expect(failure.code).toBe('TREE_MISMATCH');
    expect(failure.message).toContain('"a"');
  });
});

/** Turns the packs of a repository into loose objects. */
function explode(directory: string): void {
  const packs = join(directory, 'objects/pack');
  const aside = join(directory, 'aside');
  execFileSync('sh', [
    '-c',
    `mv "$1" "$2" && mkdir "$1" && for p in "$2"/*.pack; do git --git-dir="$3" unpack-objects -q < "$p"; done; rm -rf "$2"`,
    'sh',
    packs,
    aside,
    directory,
  ]);
}
