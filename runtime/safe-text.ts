import { clean } from './log.ts';

/** Control and format characters, separators that break lines, and lone surrogates; the joiner of emoji may stay. */
const HIDDEN = /(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from outside on one line of a terminal, with what it hides shown instead of dropped: `\u001b[31mred`. A name
 * that carries an escape sequence can so neither paint the screen nor look like another name. Masks and cuts as `clean`.
 */
export function visible(text: string, most?: number): string {
  const shown = text.replace(HIDDEN, (character) => SHORT[character] ?? escaped(character.codePointAt(0) as number));
  return clean(shown, most);
}

const escaped = (code: number): string =>
  code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
