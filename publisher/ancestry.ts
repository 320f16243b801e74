import type { CommitGraph } from '../git/host/commit-graph.ts';
import type { CommitId } from '../schemas/values.ts';

/**
 * What a commit to be published contains, according to the repository at hand. Ids are hashes, so any repository with
 * the commit knows its true ancestors. A repository that cannot tell blocks nothing: the undecided commits are kept for
 * a warning.
 */
export interface Ancestry {
  /**
   * Which of these commits are the one to be published or one of its ancestors. Without a repository, only the former.
   */
  contains(commitIds: readonly CommitId[]): Promise<readonly CommitId[]>;
  /** The commits that could not be decided so far. */
  readonly unknown: readonly CommitId[];
}

/** @param graph null if there is no repository. */
export function createAncestry(graph: Pick<CommitGraph, 'containedIn'> | null, tip: CommitId): Ancestry {
  let unknown: readonly CommitId[] = [];
  return {
    get unknown() {
      return unknown;
    },
    async contains(commitIds) {
      const others = commitIds.filter((id) => id !== tip);
      const found = others.length === 0 ? [] : ((await graph?.containedIn(tip, others)) ?? null);
      if (found === null) unknown = [...new Set([...unknown, ...others])];
      return commitIds.filter((id) => id === tip || found?.includes(id));
    },
  };
}
