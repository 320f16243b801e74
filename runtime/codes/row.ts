/** `retry`: automatically, with backoff. `wait`: until something named changes. `stall`: a person must act. `bug`: ours. */
export type NextStep = 'retry' | 'wait' | 'stall' | 'bug';

/**
 * What a reported failure is about. Only `commit` blames what was published: the same commit would fail on other
 * servers too, and another one may succeed. All others say nothing against the commit.
 *
 * - `commit`: its tree, its release file, its steps, its health.
 * - `target`: the target apart from the commit: url, relativePath, its shape.
 * - `server`: this machine: disk, rights, limits, directories, its agent's settings and credentials.
 * - `origin`: the git host, and the connection to it.
 * - `coordination`: ZooKeeper and its content.
 * - `rollout`: an order, a hold or a decision that currently prevents it.
 * - `request`: a request on the command line or in a push.
 * - `gitfleet`: a defect of ours.
 */
export type About = 'commit' | 'target' | 'server' | 'origin' | 'coordination' | 'rollout' | 'request' | 'gitfleet';

export interface CodeRow {
  /** What happens next, unless the failing code knows better. */
  readonly next: NextStep;
  readonly about: About;
  /** One sentence, for docs/errors.md. */
  readonly means: string;
  /** What to do, unless the failing code knows better. */
  readonly hint: string;
}

export type CodeRows = Readonly<Record<string, CodeRow>>;
