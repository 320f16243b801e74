import { FleetError } from '../runtime/errors.ts';
import { encodePolicy, isTogether, type Policy, parsePolicy } from '../schemas/policy.ts';
import { cutoverObstacle } from '../schemas/records/cutover.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import { type AuditParts, actAudited, type Word } from './audit.ts';
import type { AgentView } from './fleet-view.ts';
import { appMissing } from './shared-state.ts';

/** The current policy of the app. @throws FleetError APP_MISSING */
export async function readPolicy(session: Session, znodes: Znodes): Promise<ReturnType<typeof parsePolicy>> {
  const node = await session.get(znodes.policy);
  if (!node) throw appMissing(znodes.app);
  return parsePolicy(node.data);
}

/**
 * Sets the policy, or removes it with null, for rollouts that begin from now on. @returns whether it changed.
 * @throws FleetError APP_MISSING
 */
export async function setPolicy(parts: AuditParts, policy: Policy | null, word: Word): Promise<boolean> {
  const data = encodePolicy(policy);
  const path = parts.znodes.policy;
  const what = data.toString('utf8');
  return await actAudited(parts, async () => {
    const node = await parts.session.get(path);
    if (!node) throw appMissing(parts.znodes.app);
    if (node.data.equals(data)) return { value: false, operations: [], act: null };
    const act = { kind: policy === null ? 'policy-unset' : 'policy-set', ...word, what } as const;
    return { value: true, operations: [{ op: 'set', path, data, version: node.stat.version }], act };
  });
}

/** As many as a refusal names. */
const MAX_NAMED = 5;

/**
 * A cutover is for links only, and for agents that know it: judged when the policy is set, by the presences of the agents
 * that are online. The leader judges again before each instant.
 * @throws FleetError CUTOVER
 */
export function refuseCutover(policy: Policy, fleet: readonly AgentView[]): void {
  if (!isTogether(policy)) return;
  const unable = fleet.flatMap(({ agentId, presence }) => {
    const why = presence && cutoverObstacle(presence.cutover);
    return why ? [`${agentId}: ${why}`] : [];
  });
  if (unable.length === 0) return;
  const more = unable.length > MAX_NAMED ? `; and ${unable.length - MAX_NAMED} more` : '';
  throw FleetError.of('CUTOVER', `cutover: together is not possible: ${unable.slice(0, MAX_NAMED).join('; ')}${more}`);
}
