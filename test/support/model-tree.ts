import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import type { GitOrigin } from './git/origin.ts';

/** What is at one path of a tree. */
export type Node =
  | { readonly kind: 'file'; readonly content: string; readonly executable: boolean }
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'module'; readonly commitId: string };

/** A whole expected tree: path to node. The content of files is latin1, so that every byte is a character. */
export type Tree = ReadonlyMap<string, Node>;

/**
 * Commits exactly this tree on top of main; one process, whatever the size. Its objects come as a pack, as from a
 * clone, or loose, as after a small push.
 */
export function commitTree(origin: GitOrigin, tree: Tree, objects: 'packed' | 'loose' = 'packed'): CommitId {
  const parent = origin.git(['for-each-ref', '--format=%(objectname)', 'refs/heads/main']);
  const parts: Buffer[] = [];
  const say = (text: string) => parts.push(Buffer.from(text));
  say('commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 8\na change\n');
  if (parent !== '') say(`from ${parent}\n`);
  say('deleteall\n');
  for (const [path, node] of tree) {
    if (node.kind === 'module') {
      say(`M 160000 ${node.commitId} ${path}\n`);
      continue;
    }
    const content = node.kind === 'link' ? Buffer.from(node.to) : Buffer.from(node.content, 'latin1');
    const mode = node.kind === 'link' ? '120000' : node.executable ? '100755' : '100644';
    say(`M ${mode} inline ${path}\ndata ${content.length}\n`);
    parts.push(content);
    say('\n');
  }
  const limit = objects === 'loose' ? 100_000 : 0;
  origin.git(['-c', `fastimport.unpackLimit=${limit}`, 'fast-import', '--quiet', '--force'], Buffer.concat(parts));
  return origin.git(['rev-parse', 'refs/heads/main']) as CommitId;
}

/** Every path with kind, mode and bytes, one text each; comparable with `onDisk`. */
export function meant(tree: Tree): Record<string, string> {
  const words: Record<string, string> = {};
  for (const [path, node] of tree) {
    if (node.kind === 'link') words[path] = `link ${node.to}`;
    else if (node.kind === 'file') words[path] = `${node.executable ? '755' : '644'} ${node.content}`;
  }
  return words;
}

/** The same for a directory, without git's help; its own `.git` is left out. */
export function onDisk(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(directory.length + 1);
    if (name === '.git' || entry.isDirectory()) continue;
    found[name] = entry.isSymbolicLink()
      ? `link ${readlinkSync(path)}`
      : `${(lstatSync(path).mode & 0o7777).toString(8)} ${readFileSync(path, 'latin1')}`;
  }
  return found;
}
