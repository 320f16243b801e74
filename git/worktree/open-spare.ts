import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createMutex } from '../../runtime/mutex.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { Difference } from '../objects/difference.ts';
import { doubting } from '../repository/replace-store.ts';
import { isPinned, notHere, type Repository } from '../repository/repository.ts';
import { checkedCommitId } from '../run/commit-id.ts';
import { gitError } from '../run/errors.ts';
import type { Spare } from '../spare.ts';
import { applyDiff } from './apply-diff.ts';
import { checkOut } from './checkout.ts';
import { type Expected, expectedOf } from './checkout-proof.ts';
import { chooseWrite, type WriteChoice } from './choose-write.ts';
import { catchUpIndex, indexCaughtUp } from './index-catch-up.ts';
import { dropProof, readProof, writeProof } from './proof.ts';
import { allArrived, driftOf, mismatch, type Written } from './verify-spare.ts';
import { findWorkTree, moveWorkTree, refuseOthers, removeWorkTree, type WorkTree } from './work-tree.ts';

export interface GitSpare extends Spare {
  /**
   * Makes a release that nobody needs any more the spare: to bring it to another commit costs less than a new tree. It
   * counts as unproved, for readers may have written there. The old spare, if there is one, is deleted.
   */
  takeOver(release: string): Promise<void>;
}

export interface ForesightedSpare extends GitSpare {
  /** The last commit that it was known to be proved to be, or to have been: a hint, where it costs nothing to be wrong. */
  readonly lastProved: CommitId | null;
  /**
   * Judges a commit whose objects have just come, so that `write` need not; touches nothing, and its failure is
   * nobody's: `write` then judges by itself.
   * @param difference where one was read already.
   */
  readAhead(commitId: CommitId, signal: AbortSignal, difference: Difference | null): Promise<void>;
}

/** By then the link is swapped, also where many agents share the cores: nobody waits for the index. */
const FOLLOW_UP_MS = 1_000;

/**
 * The spare at `directory`. Nothing that an earlier process left is trusted unless its proof note says so; a failure
 * at any point leaves a spare without note, which the next write makes good with a full checkout.
 */
export function openSpare(repository: Repository, directory: string): ForesightedSpare {
  const turn = createMutex();
  let written: Written | null = null;
  let lastProved: CommitId | null = null;
  let ahead: { commitId: CommitId; base: CommitId | null; judgement: Promise<WriteChoice> } | null = null;

  async function proved(): Promise<CommitId | null> {
    const tree = await findWorkTree(repository, directory);
    lastProved = tree && (await readProof(tree));
    return lastProved;
  }

  async function readAhead(commitId: CommitId, signal: AbortSignal, difference: Difference | null): Promise<void> {
    const base = difference?.from ?? (await proved());
    if (base === commitId) return;
    const judgement = difference
      ? Promise.resolve({ difference, contents: null })
      : chooseWrite(repository, base, commitId, directory, signal);
    judgement.catch(() => {});
    ahead = { commitId, base, judgement };
  }

  async function write(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const [here, tree] = await Promise.all([isPinned(repository, commitId), findWorkTree(repository, directory)]);
    if (!here) throw notHere(commitId);
    const base = tree && (await readProof(tree));
    if (base === commitId) return;
    written = null;
    const { difference, contents } = await judgement(base, commitId, signal);
    const caughtUp =
      tree !== null &&
      (await indexCaughtUp(repository, tree).then(
        () => true,
        () => false,
      ));
    if (caughtUp && difference?.byGit === null) {
      await applyDiff(repository, tree, difference, signal);
      written = { commitId, difference, lasts: true };
      return;
    }
    if (difference) repository.log.debug({ base, commitId, why: difference.byGit }, 'git writes the difference');
    let expected: Expected | null = null;
    const expect = () => {
      expected = contents && expectedOf(contents);
    };
    const [into, arrived] = await Promise.all([
      checkOut(repository, directory, commitId, contents, signal, expect),
      difference === null && allArrived(repository),
    ]);
    const byDifference = difference !== null && into === 'proved';
    written = { commitId, ...(byDifference ? { difference, lasts: false } : { expected, arrived }) };
  }

  async function judgement(base: CommitId | null, commitId: CommitId, signal: AbortSignal): Promise<WriteChoice> {
    const now = () => chooseWrite(repository, base, commitId, directory, signal);
    const early = ahead?.commitId === commitId && ahead.base === base ? ahead.judgement : null;
    ahead = null;
    return early ? early.catch(now) : now();
  }

  /**
   * After a difference was written into a proved tree, what was written is proved: the rest is as it was, for nobody
   * else writes here. Otherwise the whole tree is, every file hashed again unless git wrote it just now from objects
   * that it hashed on arrival.
   */
  async function verify(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const tree = await present();
    const last = written?.commitId === commitId ? written : null;
    written = null;
    const drift = await driftOf(repository, tree, commitId, last, signal);
    if (drift !== null) {
      await dropProof(tree);
      await rm(join(tree.admin, 'index'), { force: true }); // It takes for right what damaged objects wrote.
      throw mismatch(commitId, drift);
    }
    await writeProof(tree, commitId);
    lastProved = commitId;
    void repository.sizes.read(commitId).catch(() => {}); // Started now, it is there when the next change comes.
    await repository.failpoint('spare.proved');
  }

  async function moveTo(release: string): Promise<void> {
    const tree = await present();
    if ((await readProof(tree)) === null) {
      throw gitError('NOT_PROVED', `${directory} was not verified`);
    }
    const moved = await moveWorkTree(repository, tree, release);
    repository.clock.after(FOLLOW_UP_MS, () => void turn(() => catchUpIndex(repository, moved)));
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
    throw gitError('NO_SPARE', `there is no work tree at ${directory}`);
  }

  return {
    directory,
    proved,
    get lastProved() {
      return lastProved;
    },
    write: (commitId, signal) => turn(() => doubting(repository, write(checkedCommitId(commitId), signal))),
    verify: (commitId, signal) => turn(() => doubting(repository, verify(checkedCommitId(commitId), signal))),
    moveTo: (release) => turn(() => moveTo(release)),
    takeOver: (release) => turn(() => takeOver(release)),
    readAhead: (commitId, signal, difference) => readAhead(checkedCommitId(commitId), signal, difference),
  };
}
