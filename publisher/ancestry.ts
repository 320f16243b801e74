import type { CommitGraph } from '../git/host/commit-graph.ts';
import type { CommitId } from '../schemas/values.ts';

/**
 * What a commit that is to be published contains, as the repository at hand tells it. Ids are hashes, so whichever
 * repository has the commit tells the truth about its ancestors. One that cannot tell blocks nothing: what stayed open
 * is kept, to be said.
 */
export interface Ancestry {
  /** Which of these commits are the one to be published or an ancestor of it; without a repository only the former. */
  contains(commitIds: readonly CommitId[]): Promise<readonly CommitId[]>;
  /** The commits about which nothing could be told so far. */
  readonly unknown: readonly CommitId[];
}

/** @param graph null where there is no repository to ask. */
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
