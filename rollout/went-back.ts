import type { Rollout } from '../schemas/rollout.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { AgentSeen, Observed, WantedDeployment } from './observed.ts';
import { namesOf } from './summary.ts';

/**
 * ZooKeeper lost writes or was restored: config may be older than intended. The only action is then a halt, until a
 * person publishes what should run, or resumes the rollout. Null: it was not set back, or a person accepted that. Pure;
 * set-back.ts remembers what the leader itself saw.
 */
export function whySetBack({ agents, setBack, rollout }: Observed, wanted: WantedDeployment): string | null {
  const { targetVersion } = wanted;
  const record = rollout?.targetVersion === targetVersion ? rollout : null;
  const sawIt = refusing(agents, targetVersion).filter(({ agentId }) => !record?.excused.includes(agentId));
  if (sawIt.length === 0 && (!setBack || record?.setBackPassed)) return null;
  const who = sawIt.length > 0 ? `${namesOf(sawIt)} accepted a newer target before` : 'the coordinator saw it';
  return `ZooKeeper was set back (${who}): nothing is ordered until a person publishes what should run`;
}

/** Like a pause, it also stops the agents of a rollout without a policy. A resume excuses the agents that refuse. */
export function haltSetBack(rollout: Rollout, why: string, agents: readonly AgentSeen[]): Rollout {
  const saw = refusing(agents, rollout.targetVersion);
  const failures = saw.map(({ agentId }) => ({ agentId, code: 'TARGET_WENT_BACK', reason: '' }));
  return { ...rollout, state: 'halted', permits: true, setBack: true, reason: why, failures, soakAt: null };
}

/** The agents that refuse this target because it is older than one that they accepted. */
const refusing = (agents: readonly AgentSeen[], targetVersion: TargetVersion): readonly AgentSeen[] =>
  agents.filter(({ report }) => report?.targetVersion === targetVersion && report.error?.code === 'TARGET_WENT_BACK');
