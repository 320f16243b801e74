import type { CommitId, RepositoryUrl } from '../schemas/values.ts';
import type { Drift } from './worktree/compare.ts';
import type { InspectOptions } from './worktree/inspect.ts';

/**
 * What an agent gets from git: one store for each app, and in it the spare. Everything in this folder serves this
 * contract; open-store.ts fulfils it. How a commit becomes a release is told in worktree/open-spare.ts.
 */

export interface FetchRequest {
  /** Null: only what is in the store already, nobody is asked for it. */
  readonly url: RepositoryUrl | null;
  readonly commitId: CommitId;
  /** A branch or tag that may contain the commit, for servers that refuse an exact commit. */
  readonly ref?: string | undefined;
}

export interface FetchOutcome {
  /** False when the store had it from this url already: no server was asked. */
  readonly network: boolean;
}

/** The next release in the making: invisible to readers until it is moved and linked. */
export interface Spare {
  readonly directory: string;
  /** The commit that the spare was proved to be, or null when it is absent, half-made or in doubt. */
  proved(): Promise<CommitId | null>;
  /** Makes the spare hold exactly this commit (which the store has). Safe to repeat after any crash. */
  write(commitId: CommitId, signal: AbortSignal): Promise<void>;
  /** Proves HEAD, tree and absence of strangers; throws TREE_MISMATCH with the names that differ. */
  verify(commitId: CommitId, signal: AbortSignal): Promise<void>;
  /** Renames the proved spare to `release`; afterwards the spare is absent. */
  moveTo(release: string): Promise<void>;
  /**
   * Makes a release that is no longer needed the spare: to bring it to another commit costs less than a new tree. It
   * counts as unproved, for readers may have written there. The old spare, if there is one, is deleted.
   */
  takeOver(release: string): Promise<void>;
}

/**
 * The bare, shallow object store of one app, made by us, used by one agent (which holds the state lock).
 * Failures are FleetErrors: COMMIT_NOT_FOUND, NOT_A_COMMIT, OBJECT_FORMAT, AUTH, HOST_KEY, FETCH_FAILED, NO_SPACE ...
 */
export interface Store {
  readonly directory: string;
  /**
   * True when the whole commit is here and pinned, and came from this url: no repository vouches for another one. Null:
   * from any, where no repository is named.
   */
  has(commitId: CommitId, url: RepositoryUrl | null): Promise<boolean>;
  /**
   * Brings exactly this commit into the store and pins it; asks a server only when `has` says no. Afterwards the object
   * is proved to be a commit. One try: the caller decides about another.
   */
  fetch(request: FetchRequest, signal: AbortSignal): Promise<FetchOutcome>;
  /** Drops the pin; the objects go with the next clean-up. */
  unpin(commitId: CommitId): Promise<void>;
  pinned(): Promise<CommitId[]>;
  /** The work tree at `directory`, which need not exist yet, as the next release in the making. */
  spare(directory: string): Spare;
  /** Compares a whole work tree (HEAD, every file, strangers, ignored ones included) with the commit. */
  inspect(directory: string, commitId: CommitId, signal: AbortSignal, options?: InspectOptions): Promise<Drift>;
  /** Restores the files of a release that drifted, in place. @param clean null: strangers stay; else what to keep. */
  restore(directory: string, commitId: CommitId, signal: AbortSignal, clean: readonly string[] | null): Promise<void>;
  /** Takes a directory of files for a work tree of the commit, if it is none of this store yet; touches no file. */
  attach(directory: string, commitId: CommitId): Promise<void>;
  /** Deletes a work tree and what the store keeps about it; gone already is success. */
  removeWorkTree(directory: string): Promise<void>;
  /** What could not be deleted and was set aside, such as files of another user in an old release. It holds room. */
  undeletable(): Promise<string[]>;
  /** Start-up: makes an absent store, removes what a crash left behind (locks, temp packs, half-made work trees). */
  recover(): Promise<void>;
  /**
   * Idle time: packs what many small fetches left, and drops what is neither pinned nor shown.
   * @param room `none left`: the disk is full, and all of that goes at once.
   */
  tidy(signal: AbortSignal, room?: 'none left'): Promise<void>;
  /** Ends the resident children; the store may be used again, and starts new ones then. */
  close(): void;
}
