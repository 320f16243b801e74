/**
 * How a commit becomes a release.
 *
 * The objects come first (repository/fetch.ts, or local-copy/ for a change on the same disk): one pinned commit, whose
 * objects were hashed on arrival. Before a byte is written, the commit is judged from its objects alone
 * (objects/content.ts: names, symlinks, sizes, LFS pointers); a commit that breaks a rule never reaches a work tree.
 * Then it is written into the spare, a work tree that no link shows, proved there, and renamed to releases/<commit>.
 *
 * `write` has four ways to fill the spare. The choice depends on what the spare was proved to be, and on what differs:
 *
 * 1. apply-diff.ts: the spare is proved to be another commit, and few plain files differ. Our own code writes only
 *    these, fsynced and by rename. The usual way: its cost depends on the change alone.
 * 2. checkout.ts over a proved spare: few files differ, but some are symlinks, or the index could not be brought up to
 *    date. `git checkout --force` writes them; the rest is known to be right.
 * 3. checkout.ts over any other work tree: much differs, a release was taken over, or a write was interrupted. `git
 *    checkout --force` repairs what differs from the index, which is trusted only in the boot that wrote it. Unless the
 *    tree was proved, `git clean` removes everything that is not part of the commit.
 * 4. full-checkout.ts into an empty directory: there is no spare, or git could not overwrite it. Several git processes
 *    fill it from an index that we made from the judged trees. If we cannot make that index, git's own checkout does
 *    it.
 *
 * `verify` proves what was written. The proof depends on the way (verify-spare.ts):
 *
 * - after 1 and 2: the paths of the difference are read back from disk and hashed, and HEAD is compared. The rest was
 *   proved before, and only we write there. After 2 these files are fsynced now; 1 did it while writing.
 * - after 3 and 4, if every object of the store was hashed by this process: checkout-proof.ts. The index that git wrote
 *   after the files hashes to the commit's tree and has each file with its size, and the directories on disk contain
 *   exactly these names. No file is read again.
 * - otherwise, or if that proof fails: a deep inspection (inspect.ts) hashes every file, with a new index. In both
 *   cases the file system is synced.
 *
 * The result is a note beside the index (proof.ts). It is dropped before the first change and written after the proof,
 * so a crash in between leaves a spare without a note: the next write takes way 3 or 4. The note counts only in the
 * boot that wrote it, because after a power loss it may be on disk and the files not.
 *
 * `moveTo` needs the note. Afterwards only `restore` (restore-files.ts) writes into the directory; the index of a
 * release written by way 1 is brought up to date by its first inspection (index-catch-up.ts). `takeOver` turns an old release
 * into the spare, without the note: readers may have written there.
 *
 * Not promised here: that the commit may be deployed at all, or that the release stays unchanged once others can write
 * into it (the agent inspects it from time to time).
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbort } from '../../runtime/errors.ts';
import { createMutex } from '../../runtime/mutex.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { ContentRules } from '../objects/content.ts';
import type { Difference } from '../objects/difference.ts';
import { isPinned, notHere } from '../repository/repository.ts';
import { checkedCommitId } from '../run/commit-id.ts';
import { gitError, isNoSpace } from '../run/errors.ts';
import { applyDiff } from './apply-diff.ts';
import { checkOut } from './checkout.ts';
import { type Expected, expectedOf } from './checkout-proof.ts';
import { chooseWrite, type WriteChoice } from './choose-write.ts';
import { indexCaughtUp } from './index-catch-up.ts';
import type { InspectedStore } from './inspect.ts';
import { dropProof, readProof, writeProof } from './proof.ts';
import { trustProvedIndex } from './racy-index.ts';
import { allHashedOnArrival, driftOf, mismatch, type Written } from './verify-spare.ts';
import { findWorkTree, moveWorkTree, refuseOthers, removeWorkTree, type WorkTree } from './work-tree.ts';

/** The store as the spare needs it. */
interface SpareStore extends InspectedStore {
  readonly rules: ContentRules;
  /** False: always git's own checkout, never apply-diff.ts. */
  readonly diffEngine: boolean;
}

/** `Spare` of store.ts, plus reading ahead. */
export type OpenSpare = ReturnType<typeof openSpare>;

/** The spare at `directory`. Nothing that an earlier process left is trusted unless its proof note says so. */
export function openSpare(store: SpareStore, directory: string) {
  const turn = createMutex();
  let written: Written | null = null;
  let lastProved: CommitId | null = null;
  let ahead: { commitId: CommitId; base: CommitId | null; judgement: Promise<WriteChoice> } | null = null;

  async function proved(): Promise<CommitId | null> {
    const tree = await findWorkTree(store, directory);
    lastProved = tree && (await readProof(tree));
    return lastProved;
  }

  /**
   * Judges a commit whose objects have just arrived, so that `write` need not. Writes nothing. A failure has no effect:
   * `write` then judges again.
   * @param difference if it was already read.
   */
  async function readAhead(commitId: CommitId, signal: AbortSignal, difference: Difference | null): Promise<void> {
    const base = difference?.from ?? (await proved());
    if (base === commitId) return;
    const judgement = difference
      ? Promise.resolve({ difference, contents: null })
      : chooseWrite(store, base, commitId, directory, signal);
    judgement.catch(() => {});
    ahead = { commitId, base, judgement };
  }

  /**
   * On a full disk the spare itself, even a half-written one, may take the space that the commit needs. So it is
   * deleted and the write tried once more before the failure is reported; if the disk is still full, the new half is
   * deleted too.
   */
  async function write(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const before = await findWorkTree(store, directory);
    try {
      await writeOnce(commitId, signal);
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      await discardSpare();
      if (before === null) throw error;
      await writeOnce(commitId, signal).catch(async (again: unknown) => {
        if (isNoSpace(again)) await discardSpare();
        throw again;
      });
    }
  }

  /** False: there is none. */
  async function discardSpare(): Promise<boolean> {
    if ((await findWorkTree(store, directory)) === null) return false;
    store.log.warn({ directory }, 'the disk is full: the spare is deleted to give its room back');
    written = null;
    await removeWorkTree(store, directory);
    return true;
  }

  async function writeOnce(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const [here, tree] = await Promise.all([isPinned(store, commitId), findWorkTree(store, directory)]);
    if (!here) throw notHere(commitId);
    const base = tree && (await readProof(tree));
    if (base === commitId) return;
    written = null;
    const { difference, contents } = await judgement(base, commitId, signal);
    if (difference) store.contents.follow(difference);
    else store.contents.keep(contents);
    const caughtUp =
      tree !== null &&
      (await indexCaughtUp(store, tree).then(
        () => true,
        () => false,
      ));
    const byGit = store.diffEngine ? difference?.byGit : 'the diff engine is off';
    if (caughtUp && difference && byGit === null) {
      const done = await applyDiff(store, tree, difference, signal).then(
        () => true,
        (error: unknown) => {
          if (signal.aborted || isAbort(error) || isNoSpace(error)) throw error;
          store.log.warn({ directory, error }, 'the difference could not be written: git checks out all of the commit');
          return false;
        },
      );
      if (done) {
        written = { commitId, difference, lasts: true };
        return;
      }
    } else if (difference) store.log.debug({ base, commitId, why: byGit }, 'git writes the difference');
    let expected: Expected | null = null;
    const expect = () => {
      expected = contents && expectedOf(contents);
    };
    const [into, arrived] = await Promise.all([
      checkOut(store, directory, commitId, contents, signal, expect),
      difference === null && allHashedOnArrival(store),
    ]);
    const byDifference = difference !== null && into === 'proved';
    written = { commitId, ...(byDifference ? { difference, lasts: false } : { expected, arrived }) };
  }

  async function judgement(base: CommitId | null, commitId: CommitId, signal: AbortSignal): Promise<WriteChoice> {
    const now = () => chooseWrite(store, base, commitId, directory, signal);
    const early = ahead?.commitId === commitId && ahead.base === base ? ahead.judgement : null;
    ahead = null;
    return early ? early.catch(now) : now();
  }

  /**
   * If a difference was written into a proved tree, proves what was written: the rest is unchanged, because only we
   * write here. Otherwise proves the whole tree, and hashes every file unless git has just written it from objects that
   * it hashed on arrival.
   */
  async function verify(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const tree = await present();
    const last = written?.commitId === commitId ? written : null;
    written = null;
    const drift = await driftOf(store, tree, commitId, last, signal);
    if (drift !== null) {
      await dropProof(tree);
      await rm(join(tree.admin, 'index'), { recursive: true, force: true }); // It trusts what damaged objects wrote.
      throw mismatch(commitId, drift);
    }
    await writeProof(tree, commitId);
    lastProved = commitId;
    void store.sizes.read(commitId).catch(() => {}); // Starts the reader before the next change comes.
    await store.failpoint('spare.proved');
  }

  async function moveTo(release: string): Promise<void> {
    const tree = await present();
    if ((await readProof(tree)) === null) {
      throw gitError('NOT_PROVED', `${directory} was not verified`);
    }
    // From then on others can write there; until now only we did, so no file need be read again for its time alone.
    await trustProvedIndex(store, tree).catch(() => {});
    await moveWorkTree(store, tree, release);
  }

  async function takeOver(release: string): Promise<void> {
    const tree = await findWorkTree(store, release);
    if (!tree) return removeWorkTree(store, release);
    await refuseOthers(directory);
    await removeWorkTree(store, directory);
    await dropProof(tree);
    await moveWorkTree(store, tree, directory);
  }

  async function present(): Promise<WorkTree> {
    const tree = await findWorkTree(store, directory);
    if (tree) return tree;
    throw gitError('NO_SPARE', `there is no work tree at ${directory}`);
  }

  return {
    directory,
    proved,
    /** The commit that the spare was last known to be proved to be: only a hint, which may be out of date. */
    get lastProved() {
      return lastProved;
    },
    write: (commitId: CommitId, signal: AbortSignal) => turn(() => write(checkedCommitId(commitId), signal)),
    verify: (commitId: CommitId, signal: AbortSignal) => turn(() => verify(checkedCommitId(commitId), signal)),
    moveTo: (release: string) => turn(() => moveTo(release)),
    /** Deletes the spare to free disk space. False: there is none. */
    discard: () => turn(discardSpare),
    takeOver: (release: string) => turn(() => takeOver(release)),
    readAhead: (commitId: CommitId, signal: AbortSignal, difference: Difference | null) =>
      readAhead(checkedCommitId(commitId), signal, difference),
  };
}
