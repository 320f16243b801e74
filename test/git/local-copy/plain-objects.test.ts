import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPlainObject, isPlainPath } from '../../../git/local-copy/plain-objects.ts';
import { CONTENT_RULES } from '../../../git/objects/content.ts';
import { nameProblem } from '../../../git/objects/hostile-names.ts';
import { temporaryDirectory } from '../../support/git/origin.ts';
import { SEED, seeded } from '../../support/seeded.ts';

let store: string;
let remove: () => void;
beforeAll(() => {
  const made = temporaryDirectory('plain');
  remove = made.remove;
  store = join(made.path, 'store.git');
  execFileSync('git', ['init', '--quiet', '--bare', store]);
});
afterAll(() => remove());

const ID = 'a'.repeat(40);
type Entry = readonly [mode: string, name: string];

const treeOf = (entries: readonly Entry[]): Buffer =>
  Buffer.concat(
    entries.map(([mode, name]) => Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'latin1'), Buffer.from(ID, 'hex')])),
  );
const isPlain = (type: string, content: Buffer) => isPlainObject({ id: ID, type, size: content.length, content }, 20);

/** What `git fsck --strict` says about an object of this content; null: nothing. */
function complaintOfGit(type: string, content: Buffer): string | null {
  const args = [`--git-dir=${store}`, 'hash-object', '-t', type, '-w', '--literally', '--stdin'];
  const id = execFileSync('git', args, { input: content, encoding: 'utf8' }).trim();
  // What it names is not there; only what is said of the object itself counts.
  const said = spawnSync('git', [`--git-dir=${store}`, 'fsck', '--strict', '--no-dangling', id], { encoding: 'utf8' });
  const lines = `${said.stdout}${said.stderr}`
    .split('\n')
    .filter((line) => line.includes(`${type} ${id}:`) && !line.endsWith('broken links'));
  execFileSync('rm', ['-f', join(store, 'objects', id.slice(0, 2), id.slice(2))]);
  return lines.length === 0 ? null : lines.join('\n');
}

const inOrder = (entries: readonly Entry[]) => {
  const key = ([mode, name]: Entry) => Buffer.from(mode === '40000' ? `${name}/` : name, 'latin1');
  return entries.toSorted((a, b) => Buffer.compare(key(a), key(b)));
};

describe('a tree', () => {
  it('is plain with files, links and directories, in the order of git', () => {
    const entries: Entry[] = [
      ['100644', 'a'],
      ['100755', 'a.b'],
      ['40000', 'a-b'],
      ['120000', 'link'],
    ];
    expect(isPlain('tree', treeOf(inOrder(entries)))).toBe(true);
  });

  const odd: [string, Buffer][] = [
    ['empty', treeOf([])],
    [
      'out of order',
      treeOf([
        ['100644', 'b'],
        ['100644', 'a'],
      ]),
    ],
    [
      'out of order for a directory',
      treeOf([
        ['40000', 'a'],
        ['100644', 'a.b'],
      ]),
    ],
    [
      'with a name twice',
      treeOf([
        ['100644', 'a'],
        ['100644', 'a'],
      ]),
    ],
    [
      'with a file and a directory of one name',
      treeOf([
        ['100644', 'a'],
        ['100644', 'a.b'],
        ['40000', 'a'],
      ]),
    ],
    ['with a submodule', treeOf([['160000', 'a']])],
    ['with a mode of before', treeOf([['100664', 'a']])],
    ['with a mode that begins with 0', treeOf([['040000', 'a']])],
    ['with a name that is a path', treeOf([['100644', 'a/b']])],
    ['with no name', treeOf([['100644', '']])],
    ['cut off', treeOf([['100644', 'a']]).subarray(0, -1)],
    ['with something behind', Buffer.concat([treeOf([['100644', 'a']]), Buffer.from('x')])],
  ];
  it.each(odd)('is not plain: %s', (_, content) => {
    expect(isPlain('tree', content)).toBe(false);
  });

  it('that is plain, with names that are, is one about which git says nothing', { timeout: 300_000 }, () => {
    const draw = seeded(SEED);
    const names = [
      'a',
      'A',
      'a.b',
      'a b',
      'ab',
      '.git',
      '.GIT',
      'git~1',
      '.gitmodules',
      '.gitattributes',
      '..',
      '.',
      'x',
    ];
    const more = ['.git ', '.git.', 'GITMOD~1', 'a\\b', 'a:b', '.g\u00e2\u0080\u008cit', '-', '(1)', 'ü', 'con', 'a.'];
    const modes = ['100644', '100755', '40000', '120000', '100644', '100644', '100664', '160000', '040000'];
    let plain = 0;
    let complaints = 0;
    for (let round = 0; round < 400; round++) {
      const drawn = Array.from({ length: 1 + draw.below(4) }, () => {
        const name = draw.pick(draw.often(0.5) ? ['a', 'a.b', 'ab', 'x', '-', '(1)'] : [...names, ...more]);
        return [draw.pick(draw.often(0.7) ? modes.slice(0, 4) : modes), name] as Entry;
      });
      const entries = draw.often(0.7) ? inOrder(drawn) : drawn;
      const content = treeOf(entries);
      const complaint = complaintOfGit('tree', content);
      if (complaint !== null) complaints++;
      if (!isPlain('tree', content) || !entries.every(([, name]) => isPlainPath(name))) continue;
      plain++;
      expect(complaint, `seed ${SEED}: ${JSON.stringify(entries)}`).toBeNull();
    }
    expect(plain, `seed ${SEED}`).toBeGreaterThan(40);
    expect(complaints, `seed ${SEED}`).toBeGreaterThan(40);
  });
});

describe('a commit', () => {
  const WHO = 'A B <a@example.com> 1700000000 +0100';
  const text = (change: (lines: string[]) => string[] = (lines) => lines) =>
    Buffer.from(
      [...change([`tree ${ID}`, `parent ${ID}`, `author ${WHO}`, `committer ${WHO}`]), '', 'a message', ''].join('\n'),
    );

  it('is plain as git makes it, also signed, also without history, and git says nothing about it', () => {
    const plain = [
      text(),
      text((lines) => lines.toSpliced(1, 1)),
      text((lines) => lines.toSpliced(1, 0, `parent ${ID}`)),
      text((lines) => [...lines, 'gpgsig -----BEGIN PGP SIGNATURE-----', ' abc', ' -----END PGP SIGNATURE-----']),
      text((lines) => [...lines, 'encoding ISO-8859-1']),
    ];
    for (const content of plain) {
      expect(isPlain('commit', content), content.toString()).toBe(true);
      expect(complaintOfGit('commit', content)).toBeNull();
    }
  });

  const odd: [string, Buffer][] = [
    ['no tree', text((lines) => lines.slice(1))],
    ['no author', text((lines) => lines.toSpliced(2, 1))],
    ['no committer', text((lines) => lines.slice(0, 3))],
    ['an author without address', text((lines) => lines.with(2, 'author A 1700000000 +0100'))],
    ['a date before all time', text((lines) => lines.with(2, 'author A <a@b> 0100 +0100'))],
    ['a zone that is none', text((lines) => lines.with(3, 'committer A <a@b> 1700000000 0100'))],
    ['a parent that is no id', text((lines) => lines.with(1, 'parent x'))],
    ['a parent that is too short', text((lines) => lines.with(1, 'parent abc'))],
    ['a parent of the other hash', text((lines) => lines.with(1, `parent ${'a'.repeat(64)}`))],
    ['a tree that is too short', text((lines) => lines.with(0, 'tree abc'))],
    ['no end of its head', Buffer.from(`tree ${ID}\nauthor ${WHO}\ncommitter ${WHO}\ngpgsig abc`)],
    ['a NUL in the head', text((lines) => lines.with(2, `author A\0 <a@b> 1700000000 +0100`))],
    ['a NUL in the message', Buffer.concat([text(), Buffer.from('\0')])],
  ];
  it.each(odd)('is not plain: %s', (_, content) => {
    expect(isPlain('commit', content)).toBe(false);
  });
});

describe('a path', () => {
  it.each(['a', 'a/b.c', '.env', '..a', 'a b/(1) [x]', 'x-1_2+3,4=5@6', "it's"])('is plain: %s', (path) => {
    expect(isPlainPath(path)).toBe(true);
    expect(nameProblem(path, CONTENT_RULES)).toBeNull();
  });

  it.each([
    ...['', '/a', 'a/', 'a//b', '.', '..', 'a/../b', '.git', 'a/.GIT/b', '.gitmodules', '.gitattributes', 'git~1'],
    ...['a:b', 'a\\b', 'a.', 'a ', 'ü', 'a\u200cb', 'a\nb', 'a\tb', '"', '*', '?', '<', '|'],
  ])('is not plain: %j', (path) => {
    expect(isPlainPath(path)).toBe(false);
  });
});
