/** One line of post-receive's standard input. */
export interface RefUpdate {
  readonly before: string;
  readonly after: string;
  readonly ref: string;
}

const LINE = /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs\/[^\s]+)$/;

/** What git wrote; lines that are not its grammar are dropped, for a push must never fail by our reading. */
export function parseUpdates(input: string): RefUpdate[] {
  return input.split('\n').flatMap((line) => {
    const found = LINE.exec(line);
    return found ? [{ before: found[1] as string, after: found[2] as string, ref: found[3] as string }] : [];
  });
}

/**
 * Whether this push moved the configured branch to a commit. Tags, other branches and deletions do not count. Which
 * commit to publish is read from the branch later, since another push may be faster than us.
 */
export function movesBranch(updates: readonly RefUpdate[], branch: string): boolean {
  return updates.some((update) => update.ref === `refs/heads/${branch}` && !/^0+$/.test(update.after));
}
