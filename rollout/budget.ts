import { amountOf, type Policy } from '../schemas/policy.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { failureOf, type RolloutAgent } from './agent-state.ts';
import { namesOf, type Summary } from './summary.ts';

/** The failures caused by the commit that no person has excused. */
export function failuresOf(tally: Summary, rollout: Rollout): readonly RolloutAgent[] {
  return tally.of('failed').filter((each) => !rollout.excused.includes(each.agentId));
}

/** The commit failed on more agents than the policy allows. */
export interface Broken {
  /** Which agents failed, why, and how many may fail. */
  readonly why: string;
  /** Whether one of them had a permit. If none had, the commit cannot be the cause. */
  readonly byCommit: boolean;
}

/** Null: the budget holds. */
export function brokenBudget(tally: Summary, rollout: Rollout, policy: Policy): Broken | null {
  const failed = failuresOf(tally, rollout);
  const canary = failed.filter((each) => rollout.wave === 0 && rollout.canary.includes(each.agentId));
  const most = amountOf(policy.failureBudget, tally.all);
  const byCommit = failed.some((each) => each.hadPermit);
  if (canary.length > 0) return { why: `canary ${words(canary, rollout)}`, byCommit };
  if (failed.length <= most) return null;
  return { why: `${words(failed, rollout)}${most === 0 ? '' : `; the policy allows ${most} to fail`}`, byCommit };
}

/** `web-1, web-2: NO_SPACE; web-3: FETCH_FAILED`: which agents cannot deploy, and why. */
export function codesOf(unable: readonly RolloutAgent[], rollout: Rollout): string {
  const codes = [...new Set(unable.map((each) => failureOf(each, rollout).code))];
  const groups = codes.slice(0, MAX_CODES).map((code) => {
    const same = unable.filter((each) => failureOf(each, rollout).code === code);
    return `${namesOf(same)}: ${code}`;
  });
  return [...groups, ...(codes.length > MAX_CODES ? ['...'] : [])].join('; ');
}

/** The number of codes that one sentence names. */
const MAX_CODES = 3;

/** `web-1, web-2 failed: HEALTH_FAILED GET /up answered 500; web-3 failed: DEADLINE ...`: one reason per code. */
function words(failed: readonly RolloutAgent[], rollout: Rollout): string {
  const codes = [...new Set(failed.map((each) => failureOf(each, rollout).code))];
  const sentences = codes.slice(0, MAX_CODES).map((code) => {
    const same = failed.filter((each) => failureOf(each, rollout).code === code);
    return `${namesOf(same)} failed: ${code} ${failureOf(same[0] as RolloutAgent, rollout).reason}`.trim();
  });
  return sentences.join('; ');
}
