import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codes } from '../../runtime/codes.ts';
import { type Failure, FleetError } from '../../runtime/errors.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOC = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
const ROWS = Object.entries(codes());

const FOLDERS = [
  'runtime',
  'schemas',
  'zookeeper',
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
const SOURCES = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
);
const TABLE_FILES = SOURCES.filter((file) => file.startsWith('runtime/codes/'));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const elsewhere = SOURCES.filter((file) => !TABLE_FILES.includes(file))
  .map(read)
  .join('\n');

describe('the table of codes', () => {
  it('has each code once', () => {
    const names = TABLE_FILES.flatMap((file) => [...read(file).matchAll(/^ {4}([A-Z_]+): \{$/gm)].map((m) => m[1]));
    expect(names.toSorted()).toEqual(Object.keys(codes()).toSorted());
  });

  it('has no code that nothing uses', () => {
    expect(Object.keys(codes()).filter((code) => !elsewhere.includes(`'${code}'`))).toEqual([]);
  });

  it('has every code that is only logged or written into a record', () => {
    const named = [...elsewhere.matchAll(/\bcode: '([A-Z][A-Z_]+)'/g)].map((m) => m[1] as string);
    expect(named.filter((code) => !Object.hasOwn(codes(), code))).toEqual([]);
    expect(named).toContain('ENSEMBLE_WENT_BACK');
  });

  it.each(ROWS)('says of %s in plain words what it means and what to do', (_, { means, hint }) => {
    expect(means).toMatch(/^[A-Za-z][^\n]*[A-Za-z)]\.$/);
    expect(hint).toMatch(/^[^A-Z\n][^\n]*[^.\n]$/);
    expect(`${means} ${hint}`).not.toMatch(/\b(whoever|nobody|anew|mends?|wants?|goes on)\b/i);
  });

  it('blames the commit for what it holds, and for nothing that a server, a person or ZooKeeper did', () => {
    const blaming = ROWS.filter(([, { about }]) => about === 'commit').map(([code]) => code);
    expect(blaming.toSorted()).toEqual([
      ...['ACTIVATE_FAILED', 'BAD_OBJECTS', 'HEALTH_FAILED', 'LFS_POINTERS', 'NAME_TOO_LONG', 'NOT_A_COMMIT'],
      ...['PREPARE_CHANGED', 'PREPARE_FAILED', 'PRE_ACTIVATE_FAILED', 'RELEASE_FILE', 'RESTART_FAILED'],
      ...['SHARED_TAKEN', 'SUBMODULES', 'TOO_LARGE', 'UNSAFE_TREE'],
    ]);
    expect(ROWS.filter(([, { about, next }]) => (about === 'gitfleet') !== (next === 'bug'))).toEqual([]);
    // So what an agent tries again is never the fault of the commit (rollout/agent-state.ts).
    expect(ROWS.filter(([, { about, next }]) => about === 'commit' && next !== 'stall')).toEqual([]);
  });
});

describe('a failure', () => {
  it('takes from the table what the place that fails does not say', () => {
    const { hint, next } = codes().NO_SPACE;
    expect(FleetError.of('NO_SPACE', 'full').toFailure()).toEqual({ code: 'NO_SPACE', reason: 'full', hint, next });
    const cause = new Error('first');
    const exact = FleetError.of('NO_SPACE', 'full', 'remove /tmp/a', cause);
    expect(exact).toMatchObject({ hint: 'remove /tmp/a', next: 'retry', cause });
    expect(new FleetError({ code: 'QUARANTINED', reason: 'r', next: 'wait' }).next).toBe('wait');
  });

  it('that was read keeps a code of another version', () => {
    const failure: Failure = { code: 'OF_A_NEWER_VERSION', reason: 'r', hint: 'h', next: 'stall' };
    expect(FleetError.kept(failure).toFailure()).toEqual(failure);
  });
});

describe('docs/errors.md', () => {
  const check = (file: string) =>
    spawnSync(process.execPath, [join(ROOT, 'scripts/errors-doc.mjs'), '--check', file], { encoding: 'utf8' });

  it('is what its script makes of the table', () => {
    expect(check(join(ROOT, 'docs/errors.md'))).toMatchObject({ status: 0, stderr: '' });
  });

  it('has one entry for each code, in lines of at most 120 characters', () => {
    const entries = [...DOC.matchAll(/^### ([A-Z_]+)$/gm)].map((m) => m[1] as string);
    expect(entries.toSorted()).toEqual(Object.keys(codes()).toSorted());
    expect(DOC.split('\n').filter((line) => line.length > 120)).toEqual([]);
  });

  it('is missed as soon as one word of it differs', () => {
    const directory = mkdtempSync(join(tmpdir(), 'gitfleet-errors-'));
    try {
      const file = join(directory, 'errors.md');
      writeFileSync(file, DOC.replace('free disk space', 'free some space'));
      const said = check(file);
      expect(said.status).toBe(1);
      expect(said.stderr).toContain('npm run docs');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
