import { expect, it } from 'vitest';
import { visible } from '../../runtime/safe-text.ts';

it.each([
  ['plain text, ünïcode and 日本語', 'plain text, ünïcode and 日本語'],
  ['\u001b[2J\u001b[31mred', '\\u001b[2J\\u001b[31mred'],
  ['\u009b31m', '\\u009b31m'],
  ['two\nlines\tand\rback', 'two\\nlines\\tand\\rback'],
  ['\u202egnp.exe', '\\u202egnp.exe'],
  ['web\u200b-1', 'web\\u200b-1'],
  ['\ud800 alone', '\\ud800 alone'],
  ['tag \u{e0041}', 'tag \\u{e0041}'],
  ['👩‍💻', '👩‍💻'],
  ['https://ann:secret@h/r', 'https://***@h/r'],
  ['https://ann:se\ncret@h/r', 'https://***@h/r'],
])('%j is shown as %j', (text, shown) => {
  expect(visible(text)).toBe(shown);
});

it('cuts and says so', () => {
  expect(visible('x'.repeat(10), 4)).toBe('xxxx… (6 more)');
});
