import type { Rollout } from '../schemas/rollout.ts';
import type { CommitId, RelativePath, RepositoryUrl, TargetVersion } from '../schemas/values.ts';
import type { Wanted } from './plan.ts';

/** What the rollout says to this agent. */
export interface Orders {
  /** False until ZooKeeper has answered once. */
  readonly known: boolean;
  readonly rollout: Rollout | null;
  /** The targetVersion that this agent may activate. */
  readonly permit: TargetVersion | null;
}

export const NO_ORDERS: Orders = { known: false, rollout: null, permit: null };

/** Whether a policy is in force where no rollout has begun: asked only then. */
export type PolicyAnswer = 'none' | 'in force' | 'not known';

export type Leave =
  | { readonly kind: 'go' }
  /** Everything is made ready meanwhile. */
  | { readonly kind: 'await'; readonly waitingFor: string }
  /** Nothing is made ready: another target has to come. */
  | { readonly kind: 'never'; readonly waitingFor: string };

const GO: Leave = { kind: 'go' };

/** Whether this agent may activate the target; pure. docs/design.md section 3 has the rule in words. */
export function leaveOf(targetVersion: TargetVersion, orders: Orders, policy: PolicyAnswer): Leave {
  const { rollout } = orders;
  if (!orders.known) return { kind: 'await', waitingFor: 'ZooKeeper to say how this rollout goes' };
  if (rollout?.targetVersion !== targetVersion) {
    if (policy === 'none') return GO;
    const what =
      policy === 'in force' ? 'a coordinator to begin the rollout' : 'ZooKeeper to say whether a policy is in force';
    return { kind: 'await', waitingFor: what };
  }
  if (!rollout.permits || rollout.state === 'proven') return GO;
  const name = `d-${rollout.deployment}`;
  if (rollout.state === 'running' || rollout.state === 'paused' || rollout.state === 'halted') {
    if (rollout.state !== 'halted' && orders.permit === targetVersion) return GO;
    // The same words for all three: what a pause changes says the rollout, not a thousand reports.
    return { kind: 'await', waitingFor: `a permit for ${name}` };
  }
  return { kind: 'never', waitingFor: `another target: ${name} is ${rollout.state}` };
}

/**
 * What an agent without leave shows meanwhile: what it serves; but one that serves nothing at that place, or was not
 * online when the target was published, goes to the last proven target. Null: it stays as it is.
 * @param shown what links show, by relativePath.
 */
export function meanwhile(
  wanted: Extract<Wanted, { kind: 'target' }>,
  rollout: Rollout | null,
  shown: Readonly<Record<string, string>>,
  owed: Readonly<Record<string, unknown>>,
  late: boolean,
): Extract<Wanted, { kind: 'target' }> | null {
  const base = rollout?.base;
  const { relativePath, commitId } = wanted.target;
  if (!base || shown[relativePath] === commitId) return null;
  if (!late && shown[relativePath] !== undefined) return null;
  if (shown[base.relativePath] === base.commitId && !(base.relativePath in owed)) return null;
  const target = {
    url: base.url as RepositoryUrl,
    commitId: base.commitId as CommitId,
    relativePath: base.relativePath as RelativePath,
  };
  return { kind: 'target', targetVersion: wanted.targetVersion, target, meanwhile: base.deployment };
}
