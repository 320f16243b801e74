import type { CommitId } from '../../schemas/values.ts';

/** Runs git in the clone; the empty string if it fails. */
type Say = (args: readonly string[]) => Promise<string>;

/** By hand, a person can set such a branch to any commit. */
const NOTED = /^([0-9a-f]+) \S+@\{(\d+)\} (?:update by push|fetch|pull)\b/m;

/** Longer ago, the branch may be another commit by now, and asking is worth its time. */
const LATELY_MS = 10 * 60_000;

/**
 * Whether a push or a fetch of this clone saw, a moment ago, that a branch of its remote `name` is this commit: git
 * notes each of them, with its time, in the reflog of the remote-tracking branch. So that a publish right after a push
 * need not connect to the server once more.
 *
 * Not promised: that the commit is still there. Nor is it if the server is asked; agents find out when they fetch. A
 * remote that is pushed to by another url than it is fetched from proves nothing.
 */
export async function sawBranch(say: Say, name: string, commitId: CommitId, nowMs: number): Promise<boolean> {
  const [pushUrl, elsewhere, tips] = await Promise.all([
    say(['config', '--get-all', `remote.${name}.pushurl`]),
    say(['config', '--get-regexp', '^url\\..*\\.pushinsteadof$']),
    say(['for-each-ref', '--count=5', '--format=%(refname)', `--points-at=${commitId}`, `refs/remotes/${name}/`]),
  ]);
  if (pushUrl !== '' || elsewhere !== '') return false;
  const newest = ['log', '--walk-reflogs', '--max-count=1', '--format=%H %gd %gs', '--date=unix', '--end-of-options'];
  const branches = tips.split('\n').filter((ref) => ref !== '' && !ref.endsWith('/HEAD'));
  const noted = await Promise.all(branches.map((ref) => say([...newest, ref, '--'])));
  return noted.some((line) => {
    const [, id, seconds] = NOTED.exec(line) ?? [];
    const agoMs = nowMs - Number(seconds) * 1_000;
    return id === commitId && agoMs > -LATELY_MS && agoMs < LATELY_MS;
  });
}
