/** `retry`: automatically, with backoff. `wait`: until something named changes. `stall`: a person must act. `bug`: ours. */
export type NextStep = 'retry' | 'wait' | 'stall' | 'bug';

/**
 * What a failure speaks about when an agent reports it. Only `commit` blames what was published: the same commit would
 * fail again elsewhere, and another one may pass. All others say nothing against the commit.
 *
 * - `commit`: its tree, its release file, its steps, its health.
 * - `target`: what a target says besides the commit: url, relativePath, its shape.
 * - `server`: this machine: disk, rights, limits, directories, its agent's settings and credentials.
 * - `origin`: the git host, and the way to it.
 * - `coordination`: ZooKeeper and what it holds.
 * - `rollout`: an order, a hold or a decision that stands against it now.
 * - `request`: what somebody asked on the command line or in a push.
 * - `gitfleet`: a defect of ours.
 */
export type About = 'commit' | 'target' | 'server' | 'origin' | 'coordination' | 'rollout' | 'request' | 'gitfleet';

export interface CodeRow {
  /** What happens now, unless the place that failed knows better. */
  readonly next: NextStep;
  readonly about: About;
  /** One sentence, for docs/errors.md. */
  readonly means: string;
  /** What to do, unless the place that failed knows better. */
  readonly hint: string;
}

export type CodeRows = Readonly<Record<string, CodeRow>>;
