/**
 * The only way for text from outside (git's messages, a command's output, a refused value, a znode) into a log, a
 * report, a terminal or a line of JSON. Guarantee of `clean` and `visible`: credentials in urls are masked, and the
 * length is bounded. Guarantee of all three: no character passes unchanged that controls the terminal, is invisible, or
 * reverses the text. Not checked: whether a name is valid; the grammar of the name decides that.
 *
 * - `clean` drops such characters but keeps line breaks and tabs: for logs and reports.
 * - `visible` writes them out, as in `\u001b[31mred`, on one line: for terminals, where a name must not look like
 *   another.
 * - `jsonLine` escapes them, so that a reader of JSON gets the value exactly: for `--json`.
 */

/** `//user:secret@` in anything that looks like a url; also a single token before the `@`. */
const USERINFO = /\/\/[^/@\s]*@/g;
/** Control and format characters, separators that break lines, and lone surrogates. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/**
 * The zero-width joiner within an emoji may stay. Elsewhere it is invisible, and two different names would look alike.
 */
const JOINER = /(?<=\p{Extended_Pictographic}[\ufe0f\u{1f3fb}-\u{1f3ff}]?)\u200d(?=\p{Extended_Pictographic})/gu;
const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

export function clean(text: string, maxLength = 2_000): string {
  return bounded(
    masked(replaceHidden(text, (hidden) => (hidden === '\n' || hidden === '\t' ? hidden : ''))),
    maxLength,
  );
}

export function visible(text: string, maxLength = 2_000): string {
  return bounded(masked(replaceHidden(text, (hidden) => SHORT[hidden] ?? escaped(hidden))), maxLength);
}

/** `JSON.stringify` for a terminal. */
export function jsonLine(value: unknown): string {
  const units = (hidden: string) => hidden.replace(/[\s\S]/g, (unit) => hex(unit.charCodeAt(0)));
  return replaceHidden(JSON.stringify(value), units);
}

function replaceHidden(text: string, by: (hidden: string) => string): string {
  if (!text.includes('\u200d')) return text.replace(HIDDEN, by);
  const joiners = new Set([...text.matchAll(JOINER)].map((match) => match.index));
  return text.replace(HIDDEN, (hidden, at: number) => (joiners.has(at) ? hidden : by(hidden)));
}

const masked = (text: string): string => text.replace(USERINFO, (m) => (m === '//git@' ? m : '//***@'));

function bounded(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const kept = text.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '');
  return `${kept}… (${text.length - kept.length} more)`;
}

function escaped(hidden: string): string {
  const code = hidden.codePointAt(0) as number;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : hex(code);
}

const hex = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`;
