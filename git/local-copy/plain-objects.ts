import type { FoundObject } from '../objects/object-reader.ts';

/**
 * Pure rules, stricter than those of `git fsck`: git finds no fault with what they accept. False is no verdict; it only
 * means that git has to check.
 */
export function isPlainObject({ type, content }: FoundObject, idBytes: number): boolean {
  if (type === 'blob') return true;
  return type === 'commit' ? isPlainCommit(content.toString('latin1'), idBytes) : isPlainTree(content, idBytes);
}

/** For the path of a changed file: no segment is special to git, or becomes so on a case-folding disk. */
export function isPlainPath(path: string): boolean {
  return path.split('/').every((segment) => PLAIN_SEGMENT.test(segment) && !/^\.git/i.test(segment));
}

const PLAIN_SEGMENT = /^(?!\.{1,2}$)[\w +,@=()[\]{}#%&!'.-]*[\w+@)\]}]$/;

/** The header ends with an empty line, or at the end of the text. */
function isPlainCommit(text: string, idBytes: number): boolean {
  const head = PLAIN_HEAD.exec(text);
  if (!head || text.includes('\0') || !(text.includes('\n\n') || text.endsWith('\n'))) return false;
  const ids = head[0].match(/^(?:tree|parent) .*$/gm) ?? [];
  return ids.every((line) => line.length - line.indexOf(' ') - 1 === 2 * idBytes);
}

const PERSON = '[^<>\\n]+ <[^<>\\n ]+> [1-9]\\d{0,9} [+-]\\d{4}';
const PLAIN_HEAD = new RegExp(`^tree [0-9a-f]+\\n(parent [0-9a-f]+\\n)*author ${PERSON}\\ncommitter ${PERSON}\\n`);

/**
 * Modes as git writes them; distinct names in git's order, which sorts a directory as if its name ended with a slash.
 */
function isPlainTree(content: Buffer, idBytes: number): boolean {
  const text = content.toString('latin1');
  const names = new Set<string>();
  let last = '';
  for (let at = 0; at < text.length; ) {
    PLAIN_ENTRY.lastIndex = at;
    const [head, mode, name] = PLAIN_ENTRY.exec(text) ?? [];
    if (head === undefined || name === undefined) return false;
    at += head.length + idBytes;
    const key = mode === '40000' ? `${name}/` : name;
    if (at > text.length || key <= last || names.has(name)) return false;
    names.add(name);
    last = key;
  }
  return names.size > 0;
}

const PLAIN_ENTRY = /(100644|100755|120000|40000) ([^/\0]+)\0/y;
