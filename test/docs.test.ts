import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** The files below a folder (or the file itself) with such an ending, relative to the root. */
function filesIn(start: string, ...endings: string[]): string[] {
  if (statSync(join(ROOT, start)).isFile()) return [start];
  return readdirSync(join(ROOT, start), { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => join(start, name))
    .toSorted();
}

const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs', 'examples'].flatMap((each) =>
  filesIn(each, '.md'),
);
const MAX_COLUMNS = 120;

/**
 * A captured screen is a terminal of MAX_COLUMNS, four columns to the right. Nothing in it can be wrapped, and its words
 * are the program's, which are judged in its sources.
 */
const isCapture = (page: string, line: string) => page === 'docs/captures.md' && line.startsWith('    ');

/** The length that a reader sees: characters, not UTF-16 units. */
const columns = (line: string) => [...line].length;

describe('every page', () => {
  it.each(PAGES)('%s has lines of at most 120 characters', (page) => {
    const lines = read(page).split('\n');
    const long = lines.flatMap((line, n) =>
      columns(line) > MAX_COLUMNS && !isCapture(page, line) ? [`${page}:${n + 1} has ${columns(line)}: ${line}`] : [],
    );
    expect(long).toEqual([]);
  });

  it.each(PAGES)('%s links only to what exists', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string);
    const local = links.filter((link) => !/^(https?:|#)/.test(link)).map((link) => link.replace(/#.*/, ''));
    const files = local.map((link) => join(dirname(page), link));
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('is among those that are read here', () => {
    expect(PAGES.length).toBeGreaterThan(25);
    expect(PAGES).toContain('docs/decisions/README.md');
    expect(columns('é'.repeat(MAX_COLUMNS))).toBe(MAX_COLUMNS);
  });
});

/** Words that a native technical writer would not use here, over what people read: pages, messages, comments. */
const UNWANTED = /\b(whoever|nobody|anew|mend(s|ed)?)\b/i;
const FOLDERS = [
  ...['agent', 'cli', 'examples', 'fleet', 'git', 'hooks', 'library', 'publisher', 'rollout', 'runtime', 'schemas'],
  ...['serve', 'services', 'zookeeper'],
];
const READ_BY_PEOPLE = [...PAGES, ...FOLDERS.flatMap((folder) => filesIn(folder, '.ts', '.yml', '.conf', '.py'))];

describe('plain English', () => {
  it.each(READ_BY_PEOPLE)('is what %s is written in', (file) => {
    const found = read(file)
      .split('\n')
      .flatMap((line, n) => (UNWANTED.test(line) && !isCapture(file, line) ? [`${file}:${n + 1}: ${line}`] : []));
    expect(found).toEqual([]);
  });
});

describe('the map of rooms in design.md', () => {
  const SOURCES = [
    ...[
      'agent',
      'cli',
      'fleet',
      'git',
      'hooks',
      'publisher',
      'rollout',
      'runtime',
      'schemas',
      'serve',
      'services',
      'zookeeper',
    ],
  ];
  const isFolder = (path: string) => statSync(join(ROOT, path)).isDirectory();
  const rooms = SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .map((name) => `${folder}/${name}`)
      .filter(isFolder),
  );
  const rows = read('docs/design.md').match(/^\| `[a-z]+\/.*$/gm) ?? [];
  const named = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([a-z/-]+)\/`/g)].map(([, room]) => room),
  );

  it('has each room of the tree, and none that is not there', () => {
    expect(rooms.filter((room) => !named.includes(room))).toEqual([]);
    expect(named.filter((room) => !isFolder(room as string))).toEqual([]);
    expect(rooms.length).toBeGreaterThan(20);
  });
});

describe('the way of a target to the disk', () => {
  it('is told the same in README and design, in at most five files, each of which imports the next', () => {
    const ways = ['README.md', 'docs/design.md'].map(
      (page) => /^ {4}(agent\/agent\.ts( -> \S+)+)$/m.exec(read(page))?.[1],
    );
    expect(ways[0]).toBe(ways[1]);
    const files = ways[0]?.split(' -> ') ?? [];
    expect(files.length).toBeGreaterThan(2);
    expect(files.length).toBeLessThanOrEqual(5);
    for (const [n, file] of files.slice(0, -1).entries()) {
      const imported = [...read(file).matchAll(/from '(\.[^']+)'/g)].map(([, path]) =>
        normalize(join(dirname(file), path as string)),
      );
      expect(imported, file).toContain(files[n + 1]);
    }
    expect(read(files.at(-1) as string)).toMatch(/\brename\(aside, link\)/);
  });
});
