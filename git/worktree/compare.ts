import type { CommitId } from '../../schemas/values.ts';
import { isCommitId } from '../run/commit-id.ts';
import type { Git, GitCall } from '../run/process.ts';
import { readHead } from './proof.ts';
import type { WorkTree } from './work-tree.ts';

/** How a work tree differs from its commit. Each list has at most 20 names. */
export interface Drift {
  readonly head: CommitId | null;
  readonly changed: readonly string[];
  readonly missing: readonly string[];
  readonly strangers: readonly string[];
}

export function isClean(drift: Drift, commitId: CommitId): boolean {
  return drift.head === commitId && [drift.changed, drift.missing, drift.strangers].every((list) => list.length === 0);
}

/**
 * `believed`: sizes and times in the index are trusted; where they changed, the content is compared with the blob in
 * the store. `hashed`: the index was just made by hashing every file. The hash counts, not a blob in the store, which
 * may have been tampered with.
 */
type Index = 'believed' | 'hashed';

const MAX_NAMES = 20;

/**
 * Compares with git, using the index of `call`. Writes nothing except, at most, fresher times into that index.
 * @param except patterns as in .gitignore.
 */
export async function compareWorkTree(
  git: Git,
  tree: WorkTree,
  commitId: CommitId,
  except: readonly string[],
  call: GitCall,
  index: Index,
): Promise<Drift> {
  const [head, differing, strangers] = await Promise.all([
    readHead(tree),
    differingFrom(git, commitId, except, call, index),
    strangersIn(git, except, call),
  ]);
  return {
    head: isCommitId(head) ? head : null,
    changed: names(differing.filter(({ status }) => status !== 'D' && status !== 'A')),
    missing: names(differing.filter(({ status }) => status === 'D')),
    // In the index but not in the commit: added.
    strangers: names([...differing.filter(({ status }) => status === 'A'), ...strangers]),
  };
}

async function differingFrom(git: Git, commitId: CommitId, except: readonly string[], call: GitCall, index: Index) {
  const flags = ['--raw', '-z', '--no-renames', '--no-ext-diff', '--no-textconv', '--ignore-submodules=all'];
  const paths = except.length === 0 ? [] : ['.', ...except.flatMap(excluding)];
  const command = index === 'hashed' ? 'diff-index' : 'diff';
  const words = (await git.output([command, ...flags, commitId, '--', ...paths], call)).split('\0');
  const found: { status: string; path: string }[] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    found.push({ status: (words[at] ?? '').split(' ')[4] ?? '', path: words[at + 1] ?? '' });
  }
  return found;
}

/** As in .gitignore: a pattern without a slash matches at any depth, and each one covers what is below it. */
function excluding(pattern: string): string[] {
  const plain = pattern.replace(/^\/|\/$/g, '');
  const anchored = plain.includes('/') || pattern.startsWith('/') ? plain : `**/${plain}`;
  return [`:(exclude,glob,top)${anchored}`, `:(exclude,glob,top)${anchored}/**`];
}

async function strangersIn(git: Git, except: readonly string[], call: GitCall) {
  // A directory with only excepted files is no stranger either.
  const flags = except.length === 0 ? [] : ['--no-empty-directory', ...except.map((each) => `--exclude=${each}`)];
  const listed = await git.output(['ls-files', '--others', '--directory', '-z', ...flags], call);
  return listed
    .split('\0')
    .filter((path) => path !== '')
    .map((path) => ({ path }));
}

function names(entries: readonly { path: string }[]): string[] {
  return entries.slice(0, MAX_NAMES).map(({ path }) => path);
}
