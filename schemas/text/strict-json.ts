import { type Refused, refuse, shown } from '../refusal.ts';

/**
 * Bytes from a znode to a JSON value, without repairing anything: a size limit before anything is read, UTF-8 without a
 * byte order mark, and no object that names a member twice (JSON.parse would take the last one, another reader the
 * first: two servers, two targets). Linear in the size, whatever the nesting. It does not judge the shape.
 *
 * Codes, in the order of the checks: EMPTY, SIZE, ENCODING, DUPLICATE, JSON.
 */
export function parseStrictJson(bytes: Buffer, maxBytes: number): { ok: true; value: unknown } | Refused {
  if (bytes.length === 0) return refuse('EMPTY', 'the value is empty');
  if (bytes.length > maxBytes) return refuse('SIZE', `${bytes.length} bytes, at most ${maxBytes} are read`);
  const encoding = wrongEncoding(bytes);
  if (encoding) return refuse('ENCODING', encoding);
  const text = bytes.toString('utf8');
  const twice = duplicateKey(text);
  if (twice !== undefined) return refuse('DUPLICATE', `the member ${shown(twice)} is there twice`);
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    // The parser's message quotes its input, which may contain a secret: only the position is used.
    const place = /position \d+/.exec(String(error))?.[0];
    return refuse('JSON', place ? `not JSON: syntax error at ${place}` : 'not JSON');
  }
}

/** Empty if the bytes are UTF-8 without a mark, else what they are. */
function wrongEncoding(bytes: Buffer): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'the value starts with a byte order mark';
  // For ASCII text, half of UTF-16's bytes are zero, which is legal UTF-8: the first pair shows it.
  if (bytes.length > 1 && (bytes[0] === 0) !== (bytes[1] === 0)) return 'the value looks like UTF-16';
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return '';
  } catch {
    return 'the value is not UTF-8';
  }
}

/** An open bracket: an array, an object without a key so far, or an object with the keys so far. */
type Open = 'array' | 'object' | Set<string>;

/**
 * The first key that its own object names twice, with escapes resolved. The text need not be JSON: JSON.parse handles
 * malformed text. One pass, its own stack, and a Set only for objects that have a key.
 */
function duplicateKey(text: string): string | undefined {
  const open: Open[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') open.push('object');
    else if (character === '[') open.push('array');
    else if (character === '}' || character === ']') open.pop();
    if (character !== '"') continue;
    const end = endOfString(text, at);
    const next = skipSpace(text, end);
    const inside = open.at(-1);
    if (text[next] === ':' && inside !== undefined && inside !== 'array') {
      const key = unquote(text.slice(at, end));
      if (key === undefined) return undefined;
      const keys = inside === 'object' ? new Set<string>() : inside;
      if (keys.has(key)) return key;
      keys.add(key);
      open[open.length - 1] = keys;
    }
    at = next - 1;
  }
  return undefined;
}

/** The index after the closing quote of the string that starts at `start`; the end of the text if it is not closed. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return at;
}

function unquote(quoted: string): string | undefined {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined;
  }
}
