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

/**
 * Parses what git wrote. Lines that do not match its grammar are dropped: a push must never fail because of our parser.
 */
export function parseUpdates(input: string): RefUpdate[] {
  return input.split('\n').flatMap((line) => {
    const found = LINE.exec(line);
    return found ? [{ before: found[1] as string, after: found[2] as string, ref: found[3] as string }] : [];
  });
}

/** One branch that this push moved to a commit, with the installation that matches it. */
export interface Candidate {
  readonly hook: HookSettings;
  readonly branch: string;
  readonly commitId: string;
}

/**
 * What a push may deploy: for each app, every branch that it moved to a commit. Tags, branches that no pattern matches,
 * and deletions do not count. If several patterns of one app match a branch, the strictest one decides.
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

/** A push to a branch that unreadable settings may have been for. */
export interface Unclear extends Moved {
  readonly hook: BrokenSettings;
}

/** For each broken section, the first branch of this push that it may deploy; any branch if it names none. */
export function unclearUpdates(updates: readonly RefUpdate[], broken: readonly BrokenSettings[]): Unclear[] {
  const moved = movedBranches(updates);
  return broken.flatMap((hook) => {
    const first = moved.find(({ branch }) => hook.branch === null || matchesBranch(hook.branch, branch));
    return first ? [{ hook, ...first }] : [];
  });
}

/** Branches of this push that a pattern matches, but does not deploy because of their name. */
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

/** @param git can read the commits that were pushed. */
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
 * An app shows one commit, so only one of several branches in a push is deployed: the one with the newest commit. Among
 * branches at that commit it is the one with the strictest pattern, then the one with the highest name (`release/10`
 * after `release/9`).
 * @param newest the newest of these commits, by their dates.
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
