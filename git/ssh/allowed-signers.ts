import type { SignerLine } from './signature.ts';

/**
 * A list of signers in the format of OpenSSH (ssh-keygen(1), ALLOWED SIGNERS): `principals [options] keytype key
 * [comment]`. A line counts only if its `namespaces` option names `namespace` in full. Without that option, a line would
 * count for every namespace, so anyone who may sign commits could sign targets. Certificate authorities do not count,
 * nor do lines with an option that is not known here. Total: a line that cannot be read does not count.
 */
export function parseSigners(text: string, namespace: string): SignerLine[] {
  return text.split('\n').flatMap((line) => {
    const signer = readLine(line.trim(), namespace);
    return signer ? [signer] : [];
  });
}

/** How many lines are there that do not count; `doctor` shows it, because nothing else would. */
export function linesWithoutNamespace(text: string, namespace: string): number {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
  return lines.length - parseSigners(text, namespace).length;
}

const KEY_TYPE = /^(?:ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)[A-Za-z0-9@.-]{1,60}$/;
const BASE64 = /^[A-Za-z0-9+/]{20,8000}={0,2}$/;
/** YYYYMMDD or YYYYMMDDHHMM[SS], with Z for UTC. */
const TIME = /^\d{8}(?:\d{4}(?:\d{2})?)?Z?$/;

function readLine(line: string, namespace: string): SignerLine | null {
  if (line === '' || line.startsWith('#')) return null;
  const [name, ...rest] = fieldsOf(line, /[ \t]/);
  const options = rest[0] !== undefined && KEY_TYPE.test(rest[0]) ? '' : (rest.shift() ?? '');
  const [keyType = '', key = ''] = rest;
  if (name === undefined || !KEY_TYPE.test(keyType) || !BASE64.test(key)) return null;
  const read = readOptions(options);
  const namespaces = (read?.['namespaces'] ?? '').split(',');
  // In ssh-keygen an exclusion overrides every other name. Here a line with an exclusion does not count.
  if (!read || !namespaces.includes(namespace) || namespaces.some((name) => name.startsWith('!'))) return null;
  const { 'valid-after': validAfter, 'valid-before': validBefore } = read;
  return { name: unquoted(name), keyType, key, validAfter, validBefore };
}

/** Null if one of them is not known here, or is given twice. */
function readOptions(options: string): Record<string, string> | null {
  const read: Record<string, string> = {};
  for (const option of fieldsOf(options, /,/)) {
    const equals = option.indexOf('=');
    const name = (equals < 0 ? option : option.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? '' : unquoted(option.slice(equals + 1));
    const isTime = name === 'valid-after' || name === 'valid-before';
    if (name !== 'namespaces' && !(isTime && TIME.test(value))) return null;
    if (Object.hasOwn(read, name)) return null;
    read[name] = value;
  }
  return read;
}

/** Split at separators outside quotes, without empty fields. */
function fieldsOf(text: string, separator: RegExp): string[] {
  const fields: string[] = [''];
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (!quoted && separator.test(character)) fields.push('');
    else fields[fields.length - 1] += character;
  }
  return fields.filter((field) => field !== '');
}

const unquoted = (text: string): string => text.replace(/^"(.*)"$/, '$1');
