import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../runtime/process.ts';
import type { CommitId } from '../schemas/values.ts';
import { applyDiff, flushDifference, wronglyWritten } from './apply-diff.ts';
import { checkOut } from './checkout.ts';
import { type Expected, expectedOf, isWholeCheckout } from './checkout-proof.ts';
import { checkedCommitId, objectFormatOf } from './commit-id.ts';
import type { Difference } from './difference.ts';
import { failure, gitFailure } from './errors.ts';
import { doubting } from './heal.ts';
import { indexCaughtUp, startCatchUp } from './index-catch-up.ts';
import { inspectWorkTree, isClean } from './inspect.ts';
import { type Judgement, judge } from './judge.ts';
import { environment } from './process.ts';
import { dropProof, readHead, readProof, writeProof } from './proof.ts';
import { isPinned, notHere, pinNames, type Repository } from './repository.ts';
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

export interface ForesightedSpare extends GitSpare {
  /**
   * Judges a commit whose objects have just come, so that `write` need not; touches nothing, and its failure is
   * nobody's: `write` then judges by itself.
   */
  readAhead(commitId: CommitId, signal: AbortSignal): Promise<void>;
}

/** What the last write did, still to be verified: a difference in a proved tree, or a checkout of everything. */
type Written = { commitId: CommitId } & ({ difference: Difference } | Checkout);

interface Checkout {
  readonly expected: Expected | null;
  /** Git hashed every object of the store when it came. */
  readonly arrived: boolean;
}

/**
 * The spare at `directory`. Nothing that an earlier process left is trusted unless its proof note says so; a failure
 * at any point leaves a spare without note, which the next write makes good with a full checkout.
 */
export function openSpare(repository: Repository, directory: string): ForesightedSpare {
  const turn = createTurn();
  let written: Written | null = null;
  let ahead: { commitId: CommitId; base: CommitId | null; judgement: Promise<Judgement> } | null = null;

  async function proved(): Promise<CommitId | null> {
    const tree = await findWorkTree(repository, directory);
    return tree && readProof(tree);
  }

  async function readAhead(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const base = await proved();
    if (base === commitId) return;
    const judgement = judge(repository, base, commitId, directory, signal);
    judgement.catch(() => {});
    ahead = { commitId, base, judgement };
  }

  async function write(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const [here, tree] = await Promise.all([isPinned(repository, commitId), findWorkTree(repository, directory)]);
    if (!here) throw notHere(commitId);
    const base = tree && (await readProof(tree));
    if (base === commitId) return;
    written = null;
    const { difference, entries } = await judgement(base, commitId, signal);
    const caughtUp = tree !== null && (await indexCaughtUp(repository, tree).then(yes, no));
    if (caughtUp && difference?.byGit === null) {
      await applyDiff(repository, tree, difference, signal);
      written = { commitId, difference };
      return;
    }
    if (difference) repository.log.debug({ base, commitId, why: difference.byGit }, 'git writes the difference');
    let expected: Expected | null = null;
    const expect = () => {
      expected = entries && expectedOf(entries, objectFormatOf(commitId));
    };
    const [into, arrived] = await Promise.all([
      checkOut(repository, directory, commitId, signal, expect),
      difference === null && allArrived(),
    ]);
    const byDifference = difference !== null && into === 'proved';
    written = byDifference ? { commitId, difference } : { commitId, expected, arrived };
  }

  async function judgement(base: CommitId | null, commitId: CommitId, signal: AbortSignal): Promise<Judgement> {
    const now = () => judge(repository, base, commitId, directory, signal);
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
    const drift = await driftOf(tree, commitId, last, signal);
    if (drift !== null) {
      await dropProof(tree);
      await rm(join(tree.admin, 'index'), { force: true }); // It takes for right what damaged objects wrote.
      throw mismatch(commitId, drift);
    }
    await writeProof(tree, commitId);
    void repository.sizes.read(commitId).catch(() => {}); // Started now, it is there when the next change comes.
    await repository.failpoint('spare.proved');
  }

  /** Null: there is none, and what was written outlasts a power loss. */
  async function driftOf(tree: WorkTree, commitId: CommitId, last: Written | null, signal: AbortSignal) {
    if (last !== null && 'difference' in last) {
      const [changed, head] = await Promise.all([
        wronglyWritten(tree, last.difference),
        readHead(tree),
        last.difference.byGit === null ? null : flushDifference(tree, last.difference),
      ]);
      const drift = { head: head === '' ? null : (head as CommitId), changed, missing: [], strangers: [] };
      return isClean(drift, commitId) ? null : drift;
    }
    const [whole] = await Promise.all([
      last?.arrived && last.expected && isWholeCheckout(repository, tree, commitId, last.expected),
      flush(repository, tree),
    ]);
    if (whole) return null;
    const drift = await inspectWorkTree(repository, tree, commitId, signal, { deep: true });
    return isClean(drift, commitId) ? null : drift;
  }

  /** A commit that came today may share objects with one from before we started; those may have changed since. */
  async function allArrived(): Promise<boolean> {
    const pins = await pinNames(repository);
    return pins.every((each) => repository.fresh.has(each as CommitId));
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
    readAhead: (commitId, signal) => readAhead(checkedCommitId(commitId), signal),
  };
}

const yes = () => true;
const no = () => false;

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
