import type { CommitId } from '../schemas/values.ts';

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
}
