import { run } from '../../runtime/process.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { Difference } from '../objects/difference.ts';
import { pinNames, type Repository } from '../repository/repository.ts';
import { gitError, gitFailure } from '../run/errors.ts';
import { environment } from '../run/process.ts';
import { flushDifference, notAsWritten } from './apply-diff.ts';
import { type Expected, isWholeCheckout } from './checkout-proof.ts';
import { type Drift, isClean } from './compare.ts';
import { type InspectedStore, inspectWorkTree } from './inspect.ts';
import { readHead } from './proof.ts';
import type { WorkTree } from './work-tree.ts';

/** What the last write did and is not verified yet: a difference in a proved tree, or a checkout of everything. */
export type Written = { readonly commitId: CommitId } & (WrittenDifference | CheckedOut);

interface WrittenDifference {
  readonly difference: Difference;
  /** Every file of the difference was fsynced. */
  readonly lasts: boolean;
}

interface CheckedOut {
  readonly expected: Expected | null;
  /** Every object of the store was hashed on arrival by this process. */
  readonly arrived: boolean;
}

/**
 * Null: no drift, and what was written survives a power loss. @param last null: it is unknown how the tree was written.
 */
export async function driftOf(
  store: InspectedStore,
  tree: WorkTree,
  commitId: CommitId,
  last: Written | null,
  signal: AbortSignal,
): Promise<Drift | null> {
  if (last !== null && 'difference' in last) return driftOfDifference(tree, commitId, last);
  const [whole] = await Promise.all([
    last?.arrived && last.expected && isWholeCheckout(store.reader, tree, commitId, last.expected),
    flush(store, tree),
  ]);
  if (whole) return null;
  const drift = await inspectWorkTree(store, tree, commitId, signal, { deep: true });
  return isClean(drift, commitId) ? null : drift;
}

async function driftOfDifference(tree: WorkTree, commitId: CommitId, { difference, lasts }: WrittenDifference) {
  const [changed, head] = await Promise.all([notAsWritten(tree, difference), readHead(tree)]);
  const drift = { head: head === '' ? null : (head as CommitId), changed, missing: [], strangers: [] };
  if (!isClean(drift, commitId)) return drift;
  if (!lasts) await flushDifference(tree, difference);
  return null;
}

/** A new commit may share objects with one from before this process started, and those may have been damaged since. */
export async function allHashedOnArrival(repository: Repository): Promise<boolean> {
  const pins = await pinNames(repository);
  return pins.every((each) => repository.fresh.has(each as CommitId));
}

/**
 * Git fsyncs its packs but not the files of a work tree; without this, a power loss could empty a linked release.
 * apply-diff.ts fsyncs its own files.
 */
async function flush({ git: { sandbox } }: Repository, tree: WorkTree): Promise<void> {
  const said = await run(['sync', '-f', '--', tree.directory, tree.admin], {
    env: environment(sandbox),
    clock: sandbox.clock,
    timeoutMs: 120_000,
    maxBytes: 4_096,
    keep: 'tail',
    ...(sandbox.lockFd === undefined ? {} : { inherit: [sandbox.lockFd] }),
  });
  if (said.exitCode !== 0) throw gitFailure('sync', { stderr: said.stderr.toString('utf8') }, 'IO_ERROR');
}

export function mismatch(commitId: CommitId, drift: Drift) {
  const parts = [
    ...(drift.head === commitId ? [] : [`HEAD is ${drift.head ?? 'unreadable'}`]),
    ...[
      ['changed', drift.changed] as const,
      ['missing', drift.missing] as const,
      ['not of the commit', drift.strangers] as const,
    ].flatMap(([word, names]) => (names.length === 0 ? [] : [`${word}: ${names.slice(0, 5).map(quoted).join(', ')}`])),
  ];
  const hint = 'the spare is written again from the objects; if it comes back, check disk and memory of this server';
  return gitError('TREE_MISMATCH', `the tree is not ${commitId}: ${parts.join('; ')}`, hint);
}

const quoted = (name: string) => JSON.stringify(name.slice(0, 100));
