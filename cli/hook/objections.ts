import { readFleet } from '../../fleet/fleet-view.ts';
import type { CommitGraph } from '../../git/host/commit-graph.ts';
import { commitAt } from '../../git/host/repository-config.ts';
import type { Git } from '../../git/run/process.ts';
import { within } from '../../publisher/freshness.ts';
import { judgeCommit } from '../../publisher/required-commit.ts';
import { judgeSignature } from '../../publisher/required-signature.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Target } from '../../schemas/target.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import { warn } from '../shell/terminal.ts';

interface ObjectionParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly git: Git;
  readonly repository: string;
  readonly graph: CommitGraph;
  /** Whom this hook signs for; null: it has no key. */
  readonly audience: string | null;
}

/** A push waits no longer for this than a person notices. */
const MAX_MS = 500;

/**
 * Begins to read the agents, and returns what to call before the target is written: it says which agents will refuse the
 * target. The push is over, so the target is published all the same, except by a hook that signs: its signature says
 * that the commit may run, and agents rely on it.
 * @throws FleetError NOT_ON_BRANCH
 */
export function objections(parts: ObjectionParts): (target: Target) => Promise<void> {
  const { session, znodes, git, repository, graph, audience } = parts;
  const reading = readFleet(session, znodes).catch(() => []);
  return async ({ url, commitId, gitfleet }) => {
    const fleet = (await within(systemClock, MAX_MS, reading)) ?? [];
    const tips = (refs: readonly string[]) => Promise.all(refs.map((ref) => commitAt(git, repository, ref)));
    const asked = { url, commitId, signs: audience !== null, ref: gitfleet?.ref ?? null };
    const commit = await judgeCommit(fleet, asked, { tips, graph });
    if (commit.refusal && audience !== null) throw commit.refusal;
    for (const { warning, refusal } of [judgeSignature(fleet, audience), commit]) {
      const words = warning ?? (refusal && `${refusal.message}: they will refuse this target`);
      if (words !== null) warn(`gitfleet: warning: ${words}`);
    }
  };
}
