import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const sources = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${directory}/${name}`);

const naming = (files: readonly string[], words: RegExp): string[] =>
  files.filter((file) => words.test(readFileSync(file, 'utf8')));

describe('the shared state is parsed at one door, fleet/shared-state.ts', () => {
  it('behind which no publisher, hook or verb parses a config again', () => {
    const behind = [...sources('publisher'), ...sources('hooks'), ...sources('cli'), ...sources('rollout')];
    expect(behind.length).toBeGreaterThan(100);
    expect(naming(behind, /\bparseTarget\b/)).toEqual([]);
  });

  it('and no screen sees a Buffer', () => {
    expect(naming(sources('publisher/screens'), /\bBuffer\b/)).toEqual([]);
  });
});
