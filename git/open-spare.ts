import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../runtime/process.ts';
import type { CommitId } from '../schemas/values.ts';
import { applyDiff, type Written, wronglyWritten } from './apply-diff.ts';
import { checkOut } from './checkout.ts';
import { checkedCommitId } from './commit-id.ts';
import { checkContent } from './content.ts';
import { failure, gitFailure } from './errors.ts';
import { doubting } from './heal.ts';
import { startCatchUp } from './index-catch-up.ts';
import { inspectWorkTree, isClean } from './inspect.ts';
import { environment } from './process.ts';
import { dropProof, readProof, writeProof } from './proof.ts';
import { trustingCheckout } from './racy-index.ts';
import { isPinned, notHere, pinned, type Repository } from './repository.ts';
import type { Spare } from './spare.ts';
import type { Drift } from './store.ts';
import { createTurn } from './turn.ts';
import { findWorkTree, moveWorkTree, refuseOthers, removeWorkTree, type WorkTree } from './work-tree.ts';

export interface GitSpare extends Spare {
  /**
   * Makes a release that nobody needs any more the spare: to bring it to another commit costs less than a new tree. It
   * counts as unproved, for readers may have written there. The old spare, if there is one, is deleted.
   */
  takeOver(release: string): Promise<void>;
}

/**
 * The spare at `directory`. Nothing that an earlier process left is trusted unless its proof note says so; a failure
 * at any point leaves a spare without note, which the next write makes good with a full checkout.
 */
export function openSpare(repository: Repository, directory: string): GitSpare {
  const turn = createTurn();
  /** What the diff engine wrote last, not yet verified. */
  let byDiff: Written | null = null;
  /** The same of git's checkout. */
  let checkedOut: CommitId | null = null;

  async function proved(): Promise<CommitId | null> {
    const tree = await findWorkTree(repository, directory);
    return tree && readProof(tree);
  }

  async function write(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const [here, tree] = await Promise.all([isPinned(repository, commitId), findWorkTree(repository, directory)]);
    if (!here) throw notHere(commitId);
    const base = tree && (await readProof(tree));
    if (base === commitId) return;
    byDiff = null;
    if (repository.diffEngine && tree && base) {
      byDiff = await applyDiff(repository, tree, base, commitId, signal);
      if (byDiff) return;
    }
    await checkContent(repository, commitId, directory, signal);
    checkedOut = null;
    await checkOut(repository, directory, commitId, signal);
    checkedOut = commitId;
  }

  /**
   * After a difference was written into a proved tree, what was written is proved: the rest is as it was, for nobody
   * else writes here. Otherwise the whole tree is, every file hashed again unless git wrote it just now from objects
   * that it hashed on arrival.
   */
  async function verify(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const tree = await present();
    const written = byDiff?.commitId === commitId ? byDiff : null;
    byDiff = null;
    if (written === null) {
      await Promise.all([verifyWhole(tree, commitId, signal), flush(repository, tree)]);
    } else {
      const changed = await wronglyWritten(tree, written);
      if (changed.length > 0) throw mismatch(commitId, { head: commitId, changed, missing: [], strangers: [] });
    }
    await writeProof(tree, commitId);
    void repository.sizes.read(commitId).catch(() => {}); // Started now, it is there when the next change comes.
    await repository.failpoint('spare.proved');
  }

  async function verifyWhole(tree: WorkTree, commitId: CommitId, signal: AbortSignal): Promise<void> {
    const look = (deep: boolean) => inspectWorkTree(repository, tree, commitId, signal, { deep });
    // A commit that came today may share objects with one from before we started; those may have changed since.
    const pins = await pinned(repository).catch(() => null);
    const arrived = pins?.every((each) => repository.fresh.has(each)) ?? false;
    const trusted = checkedOut === commitId && arrived;
    checkedOut = null;
    const drift = trusted ? await trustingCheckout(tree, () => look(false)) : await look(true);
    if (!isClean(drift, commitId)) {
      await dropProof(tree);
      await rm(join(tree.admin, 'index'), { force: true }); // It takes for right what damaged objects wrote.
      throw mismatch(commitId, drift);
    }
  }

  async function moveTo(release: string): Promise<void> {
    const tree = await present();
    if ((await readProof(tree)) === null) {
      throw failure('NOT_PROVED', 'bug', `${directory} was not verified`, 'verify the spare before it is moved');
    }
    startCatchUp(repository, await moveWorkTree(repository, tree, release));
  }

  async function takeOver(release: string): Promise<void> {
    const tree = await findWorkTree(repository, release);
    if (!tree) return removeWorkTree(repository, release);
    await refuseOthers(directory);
    await removeWorkTree(repository, directory);
    await dropProof(tree);
    await moveWorkTree(repository, tree, directory);
  }

  async function present(): Promise<WorkTree> {
    const tree = await findWorkTree(repository, directory);
    if (tree) return tree;
    throw failure('NO_SPARE', 'retry', `there is no work tree at ${directory}`, 'the agent writes it anew by itself');
  }

  return {
    directory,
    proved,
    write: (commitId, signal) => turn(() => doubting(repository, write(checkedCommitId(commitId), signal))),
    verify: (commitId, signal) => turn(() => doubting(repository, verify(checkedCommitId(commitId), signal))),
    moveTo: (release) => turn(() => moveTo(release)),
    takeOver: (release) => turn(() => takeOver(release)),
  };
}

/**
 * Git fsyncs its packs but not the files of a work tree; without this a power loss could empty a linked release. The diff
 * engine fsyncs what it writes by itself.
 */
async function flush(repository: Repository, tree: WorkTree): Promise<void> {
  const { leash } = repository.git;
  const said = await run(['sync', '-f', '--', tree.directory, tree.admin], {
    env: environment(leash),
    clock: repository.clock,
    timeoutMs: 120_000,
    mostBytes: 4_096,
    keep: 'tail',
    ...(leash.lockFd === undefined ? {} : { inherit: [leash.lockFd] }),
  });
  if (said.exitCode !== 0) throw gitFailure('sync', said.stderr.toString('utf8'), 'IO_ERROR');
}

function mismatch(commitId: CommitId, drift: Drift) {
  const parts = [
    ...(drift.head === commitId ? [] : [`HEAD is ${drift.head ?? 'unreadable'}`]),
    ...[
      ['changed', drift.changed] as const,
      ['missing', drift.missing] as const,
      ['not of the commit', drift.strangers] as const,
    ].flatMap(([word, names]) => (names.length === 0 ? [] : [`${word}: ${names.slice(0, 5).map(quoted).join(', ')}`])),
  ];
  const hint = 'the spare is written again from the objects; if it comes back, check disk and memory of this server';
  return failure('TREE_MISMATCH', 'retry', `the tree is not ${commitId}: ${parts.join('; ')}`, hint);
}

const quoted = (name: string) => JSON.stringify(name.slice(0, 100));
