import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { circles, exportsOf, importsOf, readSource, sourcesOf } from './support/lanes/imports.ts';

const FOLDERS = [
  'runtime',
  'schemas',
  'zookeeper',
  'library',
  'git',
  'fleet',
  'services',
  'agent',
  'publisher',
  'hooks',
  'rollout',
  'serve',
  'cli',
];

/** Names that files of several folders export: those of the same thing, and those that still have two meanings. */
const SHARED_NAMES: Readonly<Record<string, string>> = {
  'run in cli and runtime': 'what the command table calls in the file of each verb; runtime/process.ts runs a program',
  'act in agent and rollout': 'both control loops name their four acts alike',
  'observe in agent and rollout': 'both control loops name their four acts alike',
  'plan in agent and rollout': 'both control loops name their four acts alike',
  'Action in agent and rollout': 'both control loops name their four acts alike',
  'Observed in agent and rollout': 'both control loops name their four acts alike',
  'Finding in cli and serve': 'one check that did not pass, as doctor prints it and as the API sends it',
  'Snapshot in serve and zookeeper': 'what a watch yields, and the event of that name in the stream',
  'isCommitId in git and schemas':
    'git/ knows only the value types of schemas/, and is a layer that others may take alone',
};

const sources = sourcesOf(FOLDERS);

describe('the house', () => {
  it('has no circle of files, the imports of types counted', () => {
    const graph = new Map(
      sources.map((file) => [file, importsOf(file, readSource(file)).map(({ of }) => of)] as const),
    );
    expect(circles(graph)).toEqual([]);
  });

  it('finds a circle wherever one enters it', () => {
    const graph = new Map([
      ['a', ['b', 'd']],
      ['b', ['c']],
      ['c', ['b', 'e']],
      ['d', ['e']],
      ['e', []],
    ]);
    expect(circles(graph)).toEqual([['b', 'c']]);
    expect(circles(new Map([...graph, ['e', ['a']]]))).toEqual([['a', 'b', 'c', 'd', 'e']]);
  });

  it('exports each name from one file, but for what has a reason', () => {
    const folders = new Map<string, string[]>();
    for (const file of sources) {
      for (const name of new Set(exportsOf(readSource(file)))) {
        folders.set(name, [...(folders.get(name) ?? []), file.split('/')[0] as string]);
      }
    }
    const shared = [...folders].flatMap(([name, of]) => {
      const different = [...new Set(of)].toSorted();
      if (of.length === 1) return [];
      return [different.length > 1 ? `${name} in ${different.join(' and ')}` : `${name} twice in ${different[0]}`];
    });
    expect(shared.toSorted()).toEqual(Object.keys(SHARED_NAMES).toSorted());
  });

  it('has no folder whose list does not fit on a screen', () => {
    const root = join(import.meta.dirname, '..');
    const all = [...FOLDERS, 'test', 'scripts', 'bench', 'packaging', 'docs'].flatMap((top) => [
      top,
      ...readdirSync(join(root, top), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1)),
    ]);
    const long = all.filter((folder) => readdirSync(join(root, folder)).length > 25);
    expect(long).toEqual([]);
    expect(all).toContain('cli/deploy');
  });
});

describe('a test that draws', () => {
  const tests = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== 'support/seeded.ts')
    .map((file) => ({ file, text: readSource(join('test', file)) }));

  it('draws what a seed repeats: an ordinary run is the same each time', () => {
    const own = tests.filter(({ text }) => /seed\b[^;\n]*= *\(?(Date\.now|Math\.random)/i.test(text));
    expect(own.map(({ file }) => file)).toEqual([]);
    const unseeded = tests.filter(
      ({ text }) => /\bfc\.assert\(/.test(text) && !/\bseed: SEED\b|options,?\n/.test(text),
    );
    expect(unseeded.map(({ file }) => file)).toEqual([]);
  });
});
