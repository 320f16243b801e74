import { describe, expect, it } from 'vitest';
import { excerptOf } from '../../../agent/steps/excerpt.ts';

describe('what is quoted of the output of a failed step', () => {
  it('is all of a short one, without empty lines', () => {
    expect(excerptOf('  npm ERR! code E404\n\n\nnpm ERR! not found\n')).toBe('npm ERR! code E404\nnpm ERR! not found');
    expect(excerptOf(' \n\n')).toBe('');
  });

  it('is whole lines, the first and the last ones, of a long one', () => {
    const lines = Array.from({ length: 200 }, (_, nth) => `line ${nth} of the build`);
    const quoted = excerptOf(lines.join('\n')).split('\n');
    const marker = quoted.findIndex((line) => line.startsWith('...'));
    expect(quoted.slice(0, marker)).toEqual(lines.slice(0, marker));
    const tail = quoted.slice(marker + 1);
    expect(tail).toEqual(lines.slice(-tail.length));
    expect(quoted[marker]).toBe(`... ${200 - marker - tail.length} lines ...`);
    expect(Math.min(marker, tail.length)).toBeGreaterThan(3);
    expect(quoted.join('\n').length).toBeLessThan(650);
  });

  it('never cuts a word, but one that is longer than a line may be', () => {
    const words = Array.from({ length: 400 }, (_, nth) => `word${nth}`);
    const [line = ''] = excerptOf(words.join(' ')).split('\n');
    expect(words).toEqual(expect.arrayContaining(line.replace(/ \.\.\.$/, '').split(' ')));
    expect(excerptOf('x'.repeat(1_000))).toMatch(/^x{196} \.\.\.$/);
  });
});
