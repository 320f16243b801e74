import { join } from 'node:path';
import type { Git } from '../../git/run/process.ts';
import { type Drift, isClean } from '../../git/worktree/compare.ts';
import { inspectReadOnly } from '../../git/worktree/inspect-read-only.ts';
import type { ReleaseSteps } from '../../schemas/steps.ts';
import type { CommitId } from '../../schemas/values.ts';
import { type Layout, releaseOf } from '../disk/layout.ts';
import { exceptIn } from '../maintenance.ts';
import { readJournal } from '../state/journal.ts';
import type { ShownLink } from './local-status.ts';

/** One link, and how the release that it shows differs from its commit; null if it shows no release of ours. */
export interface VerifiedLink extends ShownLink {
  readonly drift: Drift | null;
  readonly clean: boolean;
}

interface VerifyParts {
  readonly layout: Layout;
  readonly git: Git;
  readonly generated: readonly string[];
  readonly stepsOf: (release: string) => Promise<ReleaseSteps>;
  /** A directory for copies for git, which are removed again. */
  readonly scratch: string;
}

/**
 * Compares the release that each link shows with its commit, while an agent may be at work. Nothing of the agent's is
 * written or locked. What steps may create there is not drift, as in the agent's own inspection.
 */
export async function verifyActive(
  parts: VerifyParts,
  links: readonly ShownLink[],
  deep: boolean,
  signal: AbortSignal,
) {
  const { layout, git, scratch } = parts;
  const journal = await readJournal(layout.appState);
  const verified: VerifiedLink[] = [];
  for (const link of links) {
    const { commitId } = link;
    if (commitId === null) {
      verified.push({ ...link, drift: null, clean: false });
      continue;
    }
    const except = await exceptIn({ ...parts, journal: () => journal }, commitId as CommitId);
    const store = join(layout.appState, 'store.git');
    const release = releaseOf(layout, commitId);
    const drift = await inspectReadOnly(git, store, release, commitId as CommitId, scratch, signal, { deep, except });
    verified.push({ ...link, drift, clean: isClean(drift, commitId as CommitId) });
  }
  return verified;
}
