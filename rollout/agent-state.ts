import { durationOf, FORGOTTEN_AFTER_MS, isTogether, type Policy } from '../schemas/policy.ts';
import { cutoverObstacle } from '../schemas/records/cutover.ts';
import { blamesCommit, hasGivenUp, hasLeft, isOverridden, isSuspended, type Report } from '../schemas/report.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { compareTargetVersions, isTargetVersion } from '../schemas/target-version.ts';
import type { AgentSeen, Observed } from './observed.ts';

/** The state of one agent in the rollout of one targetVersion. */
export type AgentState =
  | 'done' // shows it, healthy and online, with or without a permit; in a rollout without permits it may be offline
  | 'failed' // gave it up because of the commit, or was not done within the deadline
  | 'unable' // cannot, or was late, for a reason that is not the commit: its disk, its origin, its settings
  | 'out' // a person took it out: suspended, or kept on another commit
  | 'ready' // prepared, waits for its permit
  | 'working' // on its way to ready, or from its permit to done
  | 'gone' // went away with its permit, or after it was done: counts as on its way until the deadline
  | 'offline'
  | 'forgotten'; // left for good, or offline for so long that the offline budget no longer counts it

export interface RolloutAgent {
  readonly agentId: string;
  readonly standing: AgentState;
  readonly seen: AgentSeen;
  /** May activate at any moment, by its permit or its report: counts as unavailable until it reports. */
  readonly inFlight: boolean;
  /** Is still busy with another target, or may be. */
  readonly elsewhere: boolean;
  /** Has or had a permit for it: only then can the commit be the cause of its failure. */
  readonly hadPermit: boolean;
  /** Passed the deadline in this observation, and is not in the record's `late` yet. */
  readonly overdue: boolean;
}

const IN_FLIGHT: readonly Report['phase'][] = ['swapping', 'activating', 'checking'];

/** Pure: every leader gets the same answer from the same picture. */
export function judgeAgent(seen: AgentSeen, rollout: Rollout, policy: Policy, time: Time): RolloutAgent {
  const { agentId, online } = seen;
  const { now } = time;
  const report = seen.report?.targetVersion === rollout.targetVersion ? seen.report : null;
  const permittedAt = permittedSince(seen, rollout);
  const permitted = permittedAt !== null;
  const under = isUnderWay(seen, rollout, policy, time);
  const elsewhere = under && !IN_FLIGHT.some((phase) => phase === report?.phase);
  // An agent that hangs is already down; the way back must not wait for it.
  const takes = under && !(elsewhere && rollout.wayBack);
  const lost = rollout.latePermitted.includes(agentId);
  const is = (standing: AgentState, inFlight = false, overdue = false): RolloutAgent => ({
    ...{ agentId, standing, seen, inFlight, overdue, elsewhere },
    hadPermit: permitted || lost || [...rollout.revoked, ...rollout.cleared].includes(agentId),
  });
  // Its server went away for good, as its last report says.
  if (!online && hasLeft(seen.report)) return is('forgotten');
  if (isSuspended(seen.report) || isOverridden(report)) return is('out', permitted);
  const isActive = report?.phase === 'active';
  // Without waves, agents are not watched afterwards: it is enough that it was active.
  if (isActive && (online || !rollout.permits)) return is('done');
  if (report && hasGivenUp(report)) return is(isUnable(report) ? 'unable' : 'failed');
  if (online && isTogether(rollout.policy) && seen.cutover !== 'able') return is('unable');
  const ready = online && report?.phase === 'awaiting' && !permitted;
  // An agent that was late for lack of a disk or an origin, or before its permit, and is ready now, was only slow.
  if (ready && !lost) return is('ready');
  // An old error does not explain why an agent went away with its permit.
  const explained = (isUnable(report) || isAgain(report)) && (online || !(permitted || lost));
  const late = explained || rollout.lateUnable.includes(agentId) ? 'unable' : 'failed';
  if (rollout.late.includes(agentId)) return is(late, permitted);
  const since = sinceWhen(seen, rollout, permittedAt, isActive);
  // An agent that was offline before its turn has not failed.
  const counts = permitted || isActive || online;
  if (counts && since !== null && isPast(since, policy, time)) return is(late, permitted && !isActive, true);
  if (isActive) return is('gone');
  if (online) return is('working', permitted || takes);
  if (permitted) return is('gone', true);
  return is(now - seen.heard > FORGOTTEN_AFTER_MS ? 'forgotten' : 'offline', takes);
}

/** Whether its report names an obstacle that is not the commit. */
const isUnable = (report: Report | null): boolean => report?.error != null && !blamesCommit(report.error);

/**
 * Whether it retries what failed before and currently reports no error. Such a failure was not the commit's: an agent
 * gives up at once for each code that blames the commit. A failed try in `prepare` and later is the commit's.
 */
const isAgain = (report: Report | null): boolean =>
  report !== null && report.attempts > 0 && BY_THE_SERVER.includes(report.phase);

const BY_THE_SERVER: readonly Report['phase'][] = ['fetching', 'writing', 'verifying'];

/** Since when it may activate this target: by its permit, or by the instant of its wave. Null: it may not. */
function permittedSince({ agentId, permit }: AgentSeen, rollout: Rollout): number | null {
  if (permit?.targetVersion === rollout.targetVersion) return permit.at;
  return rollout.activateAt !== null && rollout.members.includes(agentId) ? rollout.activateAt.at : null;
}

/** When its deadline starts; for an agent that is done, when it went away, while its wave or the canary is watched. */
function sinceWhen(seen: AgentSeen, rollout: Rollout, permittedAt: number | null, isActive: boolean): number | null {
  const { agentId, well } = seen;
  const isMember = rollout.members.includes(agentId);
  if (isActive ? !isMember && !rollout.canary.includes(agentId) : !isMember && permittedAt === null) return null;
  // A pause, and the time during which it was active, do not count against it.
  return Math.max(permittedAt ?? 0, rollout.waveAt, well);
}

type Time = Pick<Observed, 'now' | 'watched'>;

/** A leader that has not watched long enough may read times of another clock, or not know what happened before. */
const MAX_WATCH_MS = 60_000;

function isPast(since: number, policy: Policy, { now, watched }: Time): boolean {
  const deadlineMs = durationOf(policy.deadline);
  return now - since > deadlineMs && watched >= Math.min(deadlineMs, MAX_WATCH_MS);
}

/**
 * Whether an agent without a permit of this rollout is nevertheless between swap and report: by its own report, or by a
 * permit of an earlier target whose end it has not reported. A running command is not interrupted by a newer target.
 */
function isUnderWay({ online, report, permit }: AgentSeen, rollout: Rollout, policy: Policy, time: Time): boolean {
  if (online && report && IN_FLIGHT.includes(report.phase)) return true;
  const given = permit?.targetVersion ?? null;
  if (!permit || given === null || given === rollout.targetVersion) return false;
  if (isPast(permit.at, policy, time)) return false;
  const about = report?.targetVersion ?? '';
  if (!isTargetVersion(about) || compareTargetVersions(about, given) < 0) return true;
  return about === given && report?.phase !== 'active' && !hasGivenUp(report);
}

/** The code and the reason, in the form that a rollout record and an outcome keep. */
export function failureOf({ agentId, seen, standing }: RolloutAgent, rollout: Rollout) {
  const report = seen.report?.targetVersion === rollout.targetVersion ? seen.report : null;
  const obstacle = isTogether(rollout.policy) && seen.online ? cutoverObstacle(seen.cutover) : null;
  if (standing === 'unable' && obstacle !== null && !hasGivenUp(report))
    return { agentId, code: 'CUTOVER', reason: obstacle };
  const error = hasGivenUp(report) || standing === 'unable' ? report?.error : null;
  if (error) return { agentId, code: error.code, reason: error.reason.slice(0, 300) };
  const isLate = standing === 'failed' || (standing === 'unable' && seen.online);
  if (!isLate) return { agentId, code: standing === 'unable' ? 'offline' : standing, reason: '' };
  const last = report?.error ? `: ${report.error.code} ${report.error.reason}`.slice(0, 200) : '';
  const wentAway = report?.phase === 'active' ? 'after it was active' : 'with its permit';
  return seen.online
    ? {
        agentId,
        code: 'DEADLINE',
        reason: `not done within the deadline, last seen ${report?.phase ?? 'silent'}${last}`,
      }
    : { agentId, code: 'GONE', reason: `went away ${wentAway} and did not come back within the deadline` };
}
