import type { CommitId, RepositoryUrl } from '../schemas/values.ts';
import type { Spare } from './spare.ts';

export interface FetchRequest {
  /** Null: only what is in the store already, nobody is asked for it. */
  readonly url: RepositoryUrl | null;
  readonly commitId: CommitId;
  /** A branch or tag that may contain the commit, for servers that refuse an exact commit. */
  readonly ref?: string | undefined;
}

export interface FetchOutcome {
  /** False when the commit was in the store already: nothing was asked of any server. */
  readonly network: boolean;
}

/** How a work tree differs from its commit; all lists empty: it does not. At most 20 names each. */
export interface Drift {
  readonly head: CommitId | null;
  readonly changed: readonly string[];
  readonly missing: readonly string[];
  readonly strangers: readonly string[];
}

/**
 * The bare, shallow object store of one app, made by us, used by one agent (which holds the state lock).
 * Failures are FleetErrors: COMMIT_NOT_FOUND, NOT_A_COMMIT, OBJECT_FORMAT, AUTH, HOST_KEY, FETCH_FAILED, NO_SPACE ...
 */
export interface Store {
  readonly directory: string;
  /** True when the whole commit is here and pinned. */
  has(commitId: CommitId): Promise<boolean>;
  /**
   * Brings exactly this commit into the store and pins it; asks a server only when it is absent. Afterwards the object
   * is proved to be a commit. One try: whoever calls decides about another.
   */
  fetch(request: FetchRequest, signal: AbortSignal): Promise<FetchOutcome>;
  /** Drops the pin; the objects go with the next clean-up. */
  unpin(commitId: CommitId): Promise<void>;
  pinned(): Promise<CommitId[]>;
  /** The work tree at `directory`, which need not exist yet, as the next release in the making. */
  spare(directory: string): Spare;
  /** Compares a whole work tree (HEAD, every file, strangers, ignored ones included) with the commit. */
  inspect(directory: string, commitId: CommitId, signal: AbortSignal): Promise<Drift>;
  /** Deletes a work tree and what the store keeps about it; gone already is success. */
  removeWorkTree(directory: string): Promise<void>;
  /** Start-up: makes an absent store, removes what a crash left behind (locks, temp packs, half-made work trees). */
  recover(): Promise<void>;
}
