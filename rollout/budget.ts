import { amountOf, type Policy } from '../schemas/policy.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { failureOf, type Stood } from './standing.ts';
import { namesOf, type Tally } from './tally.ts';

/** The failures that nobody has let pass yet. */
export function failuresOf(tally: Tally, rollout: Rollout): readonly Stood[] {
  return tally.of('failed').filter((each) => !rollout.excused.includes(each.agentId));
}

/** More agents failed than the policy allows: who, why, and how many it allows. Null: it holds. */
export function whyBroken(tally: Tally, rollout: Rollout, policy: Policy): string | null {
  const failed = failuresOf(tally, rollout);
  const canary = failed.filter((each) => rollout.wave === 0 && rollout.canary.includes(each.agentId));
  const most = amountOf(policy.failureBudget, tally.all);
  if (canary.length > 0) return `canary ${words(canary, rollout)}`;
  if (failed.length <= most) return null;
  return `${words(failed, rollout)}${most === 0 ? '' : `; the policy allows ${most} to fail`}`;
}

/** `web-1, web-2 failed: HEALTH_FAILED GET /up answered 500`: the first one's reason stands for all. */
function words(failed: readonly Stood[], rollout: Rollout): string {
  const first = failureOf(failed[0] as Stood, rollout);
  return `${namesOf(failed)} failed: ${first.code} ${first.reason}`.trim();
}
