import type { CommitId, RepositoryUrl } from '../schemas/values.ts';
import type { Reach, ReachQuestion } from './repository/history.ts';
import type { TagObject } from './repository/tag-object.ts';
import type { AskedTips } from './repository/tips.ts';

export type { Reach } from './repository/history.ts';

import type { Bundle, PassedOver } from './repository/take-bundle.ts';
import type { Drift } from './worktree/compare.ts';
import type { InspectOptions } from './worktree/inspect.ts';

/**
 * What an agent gets from git: one store for each app, with its spare. This is the contract of the folder;
 * open-store.ts implements it. worktree/open-spare.ts describes how a commit becomes a release.
 */

export interface FetchRequest {
  /** Null: only what is already in the store; no server is contacted. */
  readonly url: RepositoryUrl | null;
  readonly commitId: CommitId;
  /** A branch or tag that may contain the commit, for servers that refuse an exact commit. */
  readonly ref?: string | undefined;
  /** Branches and tags whose tips are asked for in the same request. */
  readonly tips?: AskedTips | undefined;
}

/** What an accepted signature names. */
export interface SignedCommit {
  readonly url: RepositoryUrl;
  readonly commitId: CommitId;
}

export interface FetchOutcome {
  /** False if the store already had the commit from this url: no origin was read. */
  readonly network: boolean;
}

/** The next release while it is being made: invisible to readers until it is moved and linked. */
export interface Spare {
  readonly directory: string;
  /** The commit that the spare was proved to be; null if the spare is absent, half-made or in doubt. */
  proved(): Promise<CommitId | null>;
  /** Makes the spare hold exactly this commit, which the store must have. Safe to repeat after any crash. */
  write(commitId: CommitId, signal: AbortSignal): Promise<void>;
  /**
   * Proves HEAD, the tree and the absence of strangers. @throws FleetError TREE_MISMATCH with the names that differ.
   */
  verify(commitId: CommitId, signal: AbortSignal): Promise<void>;
  /** Renames the proved spare to `release`; afterwards the spare is absent. */
  moveTo(release: string): Promise<void>;
  /**
   * Turns a release that is no longer needed into the spare: changing it to another commit costs less than a new tree.
   * It counts as unproved, because readers may have written there. An existing spare is deleted.
   */
  takeOver(release: string): Promise<void>;
}

/**
 * The bare, shallow object store of one app. We create it, and one agent uses it, which holds the state lock. Failures
 * are FleetErrors: COMMIT_NOT_FOUND, NOT_A_COMMIT, OBJECT_FORMAT, AUTH, HOST_KEY, FETCH_FAILED, NO_SPACE ...
 */
export interface Store {
  readonly directory: string;
  /**
   * Whether the whole commit is here and pinned, and came from this url: no repository vouches for another one. A null
   * url means from anywhere, for callers that name no repository.
   * @param signedFor whether a commit counts that came from a bundle, on the word of a signature that named this url.
   */
  has(commitId: CommitId, url: RepositoryUrl | null, signedFor?: 'also signed for'): Promise<boolean>;
  /**
   * Brings exactly this commit into the store, pins it, and proves that it is a commit. Contacts a server only if `has`
   * is false. One attempt; the caller decides about another.
   */
  fetch(request: FetchRequest, signal: AbortSignal): Promise<FetchOutcome>;
  /**
   * Whether one of these branches and tags of the repository leads to the commit. Asks the server, and fetches commits
   * alone, into a repository beside the store. @throws FleetError NO_FILTER, and the codes of a fetch.
   */
  findRef(question: ReachQuestion, signal: AbortSignal): Promise<Reach>;
  /**
   * The commit object, which the store must have; or the tag object of this name at the url, null if there is none that
   * names an object of its own.
   */
  readCommit(commitId: CommitId): Promise<Buffer>;
  fetchTag(url: RepositoryUrl, ref: string, signal: AbortSignal): Promise<TagObject | null>;
  /**
   * Brings the commit into the store from a bundle, without a server, and pins it. Only for a commit that a signature
   * names together with this url. Null: it is here now; otherwise nothing has changed, and the origin has to be asked.
   */
  take(request: SignedCommit, bundle: Bundle, signal: AbortSignal): Promise<PassedOver | null>;
  /** Drops the pin; the next clean-up removes the objects. */
  unpin(commitId: CommitId): Promise<void>;
  /** The commits that are pinned, even if a damaged store has lost their objects. */
  pinned(): Promise<CommitId[]>;
  /** The spare at `directory`, which need not exist yet. */
  spare(directory: string): Spare;
  /** Compares a whole work tree (HEAD, every file, strangers, ignored ones included) with the commit. */
  inspect(directory: string, commitId: CommitId, signal: AbortSignal, options?: InspectOptions): Promise<Drift>;
  /**
   * Restores the files of a drifted release in place. @param clean null: keep strangers; otherwise remove all but
   * these.
   */
  restore(directory: string, commitId: CommitId, signal: AbortSignal, clean: readonly string[] | null): Promise<void>;
  /**
   * Registers a directory of files as a work tree of the commit, unless it is already one of this store. Touches no
   * file.
   */
  attach(directory: string, commitId: CommitId): Promise<void>;
  /** Deletes a work tree and what the store keeps about it. Succeeds if it is already gone. */
  removeWorkTree(directory: string): Promise<void>;
  /**
   * What could not be deleted and was set aside, such as files of another user in an old release. It takes disk space.
   */
  undeletable(): Promise<string[]>;
  /**
   * Start-up: creates a missing store, and removes what a crash left (locks, temporary packs, half-made work trees).
   */
  recover(): Promise<void>;
  /**
   * For idle time: packs what many small fetches left, and drops what is neither pinned nor in a work tree.
   * @param room `none left`: the disk is full, so drop at once what can be dropped without writing.
   */
  tidy(signal: AbortSignal, room?: 'none left'): Promise<void>;
  /** Ends the resident children. The store can still be used, and then starts new ones. */
  close(): void;
}

export type { Bundle, PassedOver } from './repository/take-bundle.ts';
