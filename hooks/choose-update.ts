import { newestCommit } from '../git/host/repository-config.ts';
import type { Git } from '../git/run/process.ts';
import { compareStrictness, isOddMatch, matchesBranch } from './branch-pattern.ts';
import type { BrokenSettings, HookSettings } from './hook-settings.ts';

/** One line of a hook's standard input. */
interface RefUpdate {
  readonly before: string;
  readonly after: string;
  readonly ref: string;
}

const LINE = /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs\/[^\u0000-\u0020\u007f]+)$/;

/** What git wrote; lines that are not its grammar are dropped, for a push must never fail by our reading. */
export function parseUpdates(input: string): RefUpdate[] {
  return input.split('\n').flatMap((line) => {
    const found = LINE.exec(line);
    return found ? [{ before: found[1] as string, after: found[2] as string, ref: found[3] as string }] : [];
  });
}

/** One branch that this push moved to a commit, and what was installed for it. */
export interface Candidate {
  readonly hook: HookSettings;
  readonly branch: string;
  readonly commitId: string;
}

/**
 * What a push may deploy: per app every branch that it moved to a commit. Tags, branches that no pattern takes, and
 * deletions do not count. Where several patterns of one app take a branch, the one that says most outright decides.
 */
export function candidates(updates: readonly RefUpdate[], hooks: readonly HookSettings[]): Candidate[][] {
  const moved = movedBranches(updates);
  return [...new Set(hooks.map(({ app }) => app))].flatMap((app) => {
    const ofApp = hooks.filter((hook) => hook.app === app);
    const strictest = ofApp.toSorted((a, b) => compareStrictness(a.branch, b.branch));
    const found = moved.flatMap((each): Candidate[] => {
      const hook = strictest.find(({ branch }) => matchesBranch(branch, each.branch));
      return hook ? [{ hook, ...each }] : [];
    });
    return found.length > 0 ? [found] : [];
  });
}

interface Moved {
  readonly branch: string;
  readonly commitId: string;
}

function movedBranches(updates: readonly RefUpdate[]): Moved[] {
  return updates.flatMap(({ ref, after }) => {
    const branch = /^refs\/heads\/(.+)$/.exec(ref)?.[1];
    return branch === undefined || /^0+$/.test(after) ? [] : [{ branch, commitId: after }];
  });
}

/** A push to what settings that cannot be read may have been for. */
export interface Unclear extends Moved {
  readonly hook: BrokenSettings;
}

/** Of each section that is broken the first branch of this push that it may deploy; where it names none, any branch. */
export function unclearUpdates(updates: readonly RefUpdate[], broken: readonly BrokenSettings[]): Unclear[] {
  const moved = movedBranches(updates);
  return broken.flatMap((hook) => {
    const first = moved.find(({ branch }) => hook.branch === null || matchesBranch(hook.branch, branch));
    return first ? [{ hook, ...first }] : [];
  });
}

/** Branches of this push that a pattern means, and whose name keeps them from being deployed. */
export function oddBranches(updates: readonly RefUpdate[], hooks: readonly HookSettings[]): string[] {
  const takes = (branch: string) => hooks.some((hook) => isOddMatch(hook.branch, branch));
  return movedBranches(updates).flatMap(({ branch }) => (takes(branch) ? [branch] : []));
}

/** What one push deploys to one app. */
export interface Choice {
  readonly chosen: Candidate;
  /** Branches of the same push that the app could have shown instead. */
  readonly passedOver: readonly Candidate[];
}

/** @param git sees the commits that were pushed. */
export async function chooseUpdates(
  git: Git,
  gitDir: string,
  updates: readonly RefUpdate[],
  hooks: readonly HookSettings[],
): Promise<Choice[]> {
  return await Promise.all(
    candidates(updates, hooks).map(async (of) => {
      const [only, ...more] = of as [Candidate];
      if (more.length === 0) return { chosen: only, passedOver: [] };
      const commits = of.map(({ commitId }) => commitId);
      return choose(of, await newestCommit(git, gitDir, commits));
    }),
  );
}

/**
 * An app shows one commit, so of several branches in one push one is deployed: that with the newest commit, and among
 * branches at that commit the one that was named most outright, then whose name counts highest (`release/10` after
 * `release/9`).
 * @param newest the newest of these commits, as they are dated.
 */
export function choose(of: readonly Candidate[], newest: string): Choice {
  const names = new Intl.Collator('en', { numeric: true });
  const [chosen] = of
    .filter(({ commitId }) => commitId === newest)
    .toSorted((a, b) => compareStrictness(a.hook.branch, b.hook.branch) || names.compare(b.branch, a.branch)) as [
    Candidate,
  ];
  return { chosen, passedOver: of.filter((each) => each !== chosen) };
}
