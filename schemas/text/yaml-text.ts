import { parseDocument } from 'yaml';

/**
 * The value of a text that a person wrote: YAML 1.2 (so JSON too), one document, no duplicate keys, no tags and no
 * aliases. Problems name line and column, never the text around them, which may be a misplaced secret.
 * @param what as in `aliases have no place in settings`.
 */
export function readYaml(
  text: string,
  what: string,
  maxBytes: number,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problems: readonly string[] } {
  if (Buffer.byteLength(text) > maxBytes) {
    return { ok: false, problems: [`the file is larger than ${maxBytes} bytes`] };
  }
  const document = parseDocument(text, { prettyErrors: true, resolveKnownTags: false });
  const found = [...document.errors, ...document.warnings];
  if (found.length > 0) {
    const problems = found.map(({ code, linePos }) => {
      const place = linePos ? `line ${linePos[0].line}, column ${linePos[0].col}` : 'somewhere';
      return `${place}: ${code.toLowerCase().replaceAll('_', ' ')}`;
    });
    return { ok: false, problems };
  }
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: 0 }) };
  } catch {
    return { ok: false, problems: [`aliases have no place in ${what}`] };
  }
}
