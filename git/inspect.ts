import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../schemas/values.ts';
import { indexCaughtUp } from './index-catch-up.ts';
import type { GitCall } from './process.ts';
import { indexIsOfThisBoot, noteBoot } from './proof.ts';
import { settleRacy } from './racy-index.ts';
import type { Repository } from './repository.ts';
import type { Drift } from './store.ts';
import { sweepWorkTree } from './sweep.ts';
import { talk } from './talk.ts';
import type { WorkTree } from './work-tree.ts';

export interface InspectOptions {
  /** Hash every file again, with an index made from nothing: finds what kept its size and times. */
  readonly deep?: boolean;
  /** Patterns as in .gitignore, of things that are neither drift nor strangers. */
  readonly except?: readonly string[];
}

const MOST_NAMES = 20;

/**
 * How a work tree differs from a commit: its HEAD, every tracked file (by size and times, or by content where those
 * changed), and every other file, ignored ones included. Writes nothing into the tree.
 */
export async function inspectWorkTree(
  repository: Repository,
  tree: WorkTree,
  commitId: CommitId,
  signal: AbortSignal,
  options: InspectOptions = {},
): Promise<Drift> {
  const call = { gitDir: tree.admin, workTree: tree.directory, signal };
  const index = options.deep ? join(tree.admin, 'gitfleet-inspect.new') : undefined;
  try {
    const fresh: GitCall = index === undefined ? call : { ...call, env: { GIT_INDEX_FILE: index } };
    if (index === undefined) {
      await indexCaughtUp(repository, tree);
      await distrustOldBoot(repository, tree, commitId, call);
      await settleRacy(repository, tree, call);
    } else {
      await rm(index, { force: true });
      await repository.git.tell(['read-tree', commitId], fresh);
      await repository.git.ask(['update-index', '-q', '--refresh'], fresh); // Says 1 where files differ.
    }
    const [head, differing, strangers] = await Promise.all([
      headOf(repository, tree),
      differingFrom(repository, commitId, fresh, options),
      strangersIn(repository, fresh, options.except ?? []),
    ]);
    return {
      head,
      changed: names(differing.filter(({ status }) => status !== 'D' && status !== 'A')),
      missing: names(differing.filter(({ status }) => status === 'D')),
      // Tracked by the index but not in the commit: somebody added it.
      strangers: names([...differing.filter(({ status }) => status === 'A'), ...strangers]),
    };
  } finally {
    if (index !== undefined) await rm(index, { force: true });
  }
}

/** After a power loss the index may be half there, or remember times of files whose bytes were lost. */
async function distrustOldBoot(repository: Repository, tree: WorkTree, commitId: CommitId, call: GitCall) {
  if (await indexIsOfThisBoot(tree)) return;
  await sweepWorkTree(tree.admin);
  await rm(join(tree.admin, 'index'), { force: true });
  await repository.git.tell(['read-tree', commitId], call);
  await repository.git.ask(['update-index', '-q', '--refresh'], call);
  await noteBoot(tree);
}

export function isClean(drift: Drift, commitId: CommitId): boolean {
  return drift.head === commitId && [drift.changed, drift.missing, drift.strangers].every((list) => list.length === 0);
}

async function headOf(repository: Repository, tree: WorkTree): Promise<CommitId | null> {
  const git = talk(repository.git.leash, tree.directory, { GIT_DIR: tree.admin });
  const said = await git.raw('rev-parse', '--verify', 'HEAD').catch(() => '');
  return said === '' ? null : (said.trim() as CommitId);
}

/**
 * `diff` compares the content of files whose size or times changed with the blob in the store. After a deep refresh
 * `diff-index` is asked instead: it believes the refresh, which hashed the files, and not a blob that was tampered with.
 */
async function differingFrom(repository: Repository, commitId: CommitId, call: GitCall, options: InspectOptions) {
  const { deep = false, except = [] } = options;
  const flags = ['--raw', '-z', '--no-renames', '--no-ext-diff', '--no-textconv', '--ignore-submodules=all'];
  const paths = except.length === 0 ? [] : ['.', ...except.flatMap(excluding)];
  const words = (
    await repository.git.tell([deep ? 'diff-index' : 'diff', ...flags, commitId, '--', ...paths], call)
  ).split('\0');
  const found: { status: string; path: string }[] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    found.push({ status: (words[at] ?? '').split(' ')[4] ?? '', path: words[at + 1] ?? '' });
  }
  return found;
}

/** A pattern without a slash matches at any depth, as in .gitignore; each covers what lies below it too. */
function excluding(pattern: string): string[] {
  const plain = pattern.replace(/^\/|\/$/g, '');
  const anchored = plain.includes('/') || pattern.startsWith('/') ? plain : `**/${plain}`;
  return [`:(exclude,glob,top)${anchored}`, `:(exclude,glob,top)${anchored}/**`];
}

async function strangersIn(repository: Repository, call: GitCall, except: readonly string[]) {
  // A directory that holds nothing but excepted files is none either.
  const flags = except.length === 0 ? [] : ['--no-empty-directory', ...except.map((each) => `--exclude=${each}`)];
  const listed = await repository.git.tell(['ls-files', '--others', '--directory', '-z', ...flags], call);
  return listed
    .split('\0')
    .filter((path) => path !== '')
    .map((path) => ({ path }));
}

function names(entries: readonly { path: string }[]): string[] {
  return entries.slice(0, MOST_NAMES).map(({ path }) => path);
}
