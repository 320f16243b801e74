import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** Which folders a folder may import, besides itself. docs/design.md, section 5, in one table. */
const MAY_IMPORT: Record<string, string[]> = {
  runtime: [],
  schemas: ['runtime'],
  zookeeper: ['runtime'],
  git: ['runtime'],
  fleet: ['runtime', 'schemas', 'zookeeper'],
  agent: ['runtime', 'schemas', 'zookeeper', 'git', 'fleet'],
  publisher: ['runtime', 'schemas', 'zookeeper', 'git', 'fleet'],
  hooks: ['runtime', 'schemas', 'zookeeper', 'git', 'fleet'],
  rollout: ['runtime', 'schemas', 'zookeeper', 'fleet'],
  cli: ['runtime', 'schemas', 'zookeeper', 'git', 'fleet', 'agent', 'publisher', 'hooks', 'rollout'],
};

/** The one file of schemas/ that mechanisms may know: value types without behaviour. */
const VALUE_TYPES = 'schemas/values.ts';

/** A package that only these folders may know, and why. */
const OWNED: Record<string, { folders: string[]; reason: string }> = {
  'node-zookeeper-client': {
    folders: ['zookeeper'],
    reason: 'the client lies about its state; only zookeeper/ looks behind our Session',
  },
  'simple-git': { folders: ['git'], reason: 'only git/ builds git command lines, so that one place is to be checked' },
  pino: { folders: ['runtime'], reason: 'runtime/log.ts redacts; a second logger would not' },
  commander: { folders: ['cli'], reason: 'only entries read argv' },
  yaml: { folders: ['cli', 'schemas'], reason: 'settings files are read by entries' },
  'node:child_process': {
    folders: ['runtime', 'git', 'zookeeper', 'cli'],
    reason:
      'processes are started by runtime/process.ts (group kill, bounded output) or by what owns a long-lived child',
  },
};

/** What a source file imports, as text, resolved against the root where it is relative. */
function importsOf(file: string, text: string): string[] {
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map((m) => m[1] as string);
  return specifiers.map((s) => (s.startsWith('.') ? normalize(join(dirname(file), s)) : s));
}

/** Empty when the import is legal, else the reason why it is not. */
function violation(file: string, imported: string): string {
  const from = file.split('/')[0] as string;
  const owned = OWNED[imported];
  if (owned && !owned.folders.includes(from)) return owned.reason;
  const to = imported.split('/')[0] as string;
  if (!(to in MAY_IMPORT) || to === from) return '';
  if (imported === VALUE_TYPES && (from === 'git' || from === 'zookeeper')) return '';
  if (MAY_IMPORT[from]?.includes(to)) return '';
  return `${from}/ may import ${MAY_IMPORT[from]?.join(', ') || 'nothing of ours'}: imports point down the layers only`;
}

function sources(): string[] {
  return Object.keys(MAY_IMPORT).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
}

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

describe('layers', () => {
  it('has only imports that point down', () => {
    const found = sources().flatMap((file) =>
      importsOf(file, read(file)).flatMap((imported) => {
        const why = violation(file, imported);
        return why ? [`${file} imports ${imported}: ${why}`] : [];
      }),
    );
    expect(found).toEqual([]);
    expect(sources().length).toBeGreaterThan(20);
  });

  it('names the reason for a forbidden import', () => {
    expect(violation('git/store.ts', 'zookeeper/session.ts')).toContain('imports point down');
    expect(violation('agent/agent.ts', 'node-zookeeper-client')).toContain('lies about its state');
    expect(violation('agent/agent.ts', 'publisher/publish.ts')).toContain('imports point down');
    expect(violation('git/store.ts', 'schemas/target.ts')).toContain('imports point down');
    expect(violation('git/store.ts', 'schemas/values.ts')).toBe('');
    expect(importsOf('agent/agent.ts', "import { a } from '../fleet/a.ts'; await import('./b.ts')")).toEqual([
      'fleet/a.ts',
      'agent/b.ts',
    ]);
  });

  it('keeps argv, environment and exit in the entries', () => {
    const found = sources()
      .filter((file) => !file.startsWith('cli/') && !file.startsWith('runtime/'))
      .filter((file) => /\bprocess\.(argv|env|exit|exitCode|stdout|stderr|stdin|on)\b/.test(read(file)))
      .map((file) => relative(ROOT, join(ROOT, file)));
    expect(found).toEqual([]);
  });

  it('makes a target that an agent acts on in its parser alone', () => {
    const cast = /\bas (AllowedTarget|KeptTarget|JudgedTarget|RepositoryUrl|RelativePath)\b/g;
    const found = sources()
      .filter((file) => file.startsWith('agent/') || file.startsWith('schemas/') || file === 'cli/daemon/fleet-side.ts')
      .flatMap((file) => (read(file).match(cast) ?? []).map((each) => `${file}: ${each}`))
      .sort();
    expect(found).toEqual([
      'agent/local/adopt.ts: as RepositoryUrl', // The clone that a person on this server names, of its own directory.
      'schemas/relative-path.ts: as RelativePath',
      'schemas/target.ts: as AllowedTarget',
      'schemas/target.ts: as KeptTarget',
      'schemas/url.ts: as RepositoryUrl',
    ]);
  });

  it('takes clock and chance as arguments outside runtime/', () => {
    const taken = /\b(Date\.now\(|new Date\(\)|setTimeout\(|setInterval\(|Math\.random\()/;
    const code = (file: string) => read(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    expect(sources().filter((file) => !file.startsWith('runtime/') && taken.test(code(file)))).toEqual([]);
  });
});
