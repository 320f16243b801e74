import { expect, it } from 'vitest';
import { clean, jsonLine, visible } from '../../runtime/safe-text.ts';

it.each([
  ['plain text, ünïcode and 日本語', 'plain text, ünïcode and 日本語'],
  ['\u001b[2J\u001b[31mred', '\\u001b[2J\\u001b[31mred'],
  ['\u009b31m', '\\u009b31m'],
  ['two\nlines\tand\rback', 'two\\nlines\\tand\\rback'],
  ['\u202egnp.exe', '\\u202egnp.exe'],
  ['web\u200b-1', 'web\\u200b-1'],
  ['\ud800 alone', '\\ud800 alone'],
  ['tag \u{e0041}', 'tag \\u{e0041}'],
  ['👩‍💻 and 👩🏽‍❤️‍💋‍👨', '👩‍💻 and 👩🏽‍❤️‍💋‍👨'],
  ['\u200dweb-1', '\\u200dweb-1'],
  ['👩\u200d', '👩\\u200d'],
  ['https://ann:secret@h/r', 'https://***@h/r'],
  ['https://ann:se\ncret@h/r', 'https://***@h/r'],
])('%j is shown as %j', (text, shown) => {
  expect(visible(text)).toBe(shown);
});

it('cuts and says so', () => {
  expect(visible('x'.repeat(10), 4)).toBe('xxxx… (6 more)');
});

it('cuts between characters, never in one', () => {
  expect(visible('ab💻', 3)).toBe('ab… (2 more)');
});

it('hides nothing in JSON, and a reader gets the very value', () => {
  const value = { by: 'a\u202eb\u009b31m\u200dc', tag: '\u{e0041}', lone: '\ud800', face: '👩‍💻', line: 'a\nb' };
  const line = jsonLine(value);
  expect(line).not.toMatch(/[\u0080-\u009f\u202e\u{e0041}]/u);
  expect(line).toContain('\\u202e');
  expect(line).toContain('👩‍💻');
  expect(JSON.parse(line)).toEqual(value);
});

it('drops from a log what hides itself, and keeps its lines', () => {
  expect(clean('one\ttab\nweb\u200b\u200d-1 \ufeff👩‍💻')).toBe('one\ttab\nweb-1 👩‍💻');
});
