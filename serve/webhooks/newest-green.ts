import type { CommitId } from '../../schemas/values.ts';
import type { Checks } from '../forges/checks.ts';

/** How many commits are considered: those of a branch by first parents, newest first. */
export const MOST_COMMITS = 20;

interface GreenParts {
  readonly commits: readonly CommitId[];
  /** The checks that must be green. At least one. */
  readonly names: readonly string[];
  /** What the installation has seen; empty: nothing yet. */
  readonly seen: string;
  /** What the fleet shows; null: nothing that can be read. */
  readonly shown: string | null;
  /** Whether anything was ever published, readable or not. */
  readonly isPublished: boolean;
  readonly readChecks: (commitId: CommitId) => Promise<Checks>;
}

/**
 * The commit that `when: checks-passed` takes for the tip of a branch: the newest one whose named checks are all green.
 * A check that the commit does not have is not green. Null: none, until checks pass or a commit is pushed.
 *
 * The search ends at what was seen or is shown. So checks that are run again, and turn red, never take the fleet back to
 * an older commit; and what a person publishes counts as seen, whatever its checks say. The checks of a new installation
 * are not read: its first look notes the tip. Reads the checks of at most MOST_COMMITS commits, one after another.
 */
export async function newestGreen(parts: GreenParts): Promise<CommitId | null> {
  const { names, seen, shown, isPublished, readChecks } = parts;
  const commits = parts.commits.slice(0, MOST_COMMITS);
  if (seen === '' && isPublished) return commits[0] ?? null;
  for (const commitId of commits) {
    if (commitId === seen) return null;
    if (commitId === shown || isGreen(await readChecks(commitId), names)) return commitId;
  }
  return null;
}

const isGreen = (checks: Checks, names: readonly string[]): boolean =>
  names.length > 0 && names.every((name) => checks.get(name) === 'green');
