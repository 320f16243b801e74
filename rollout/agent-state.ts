import { durationOf, FORGOTTEN_AFTER_MS, isTogether, type Policy } from '../schemas/policy.ts';
import { cutoverObstacle } from '../schemas/records/cutover.ts';
import { blamesCommit, hasGivenUp, hasLeft, isOverridden, isSuspended, type Report } from '../schemas/report.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { compareTargetVersions, isTargetVersion } from '../schemas/target-version.ts';
import type { AgentSeen, Observed } from './observed.ts';

/** Where one agent stands in the rollout of one targetVersion. */
export type AgentState =
  | 'done' // shows it, is healthy and online, also without a permit: already there is success
  | 'failed' // will not at this targetVersion by the commit's fault, or was not done within the deadline
  | 'unable' // cannot, or was too late, for a reason that is not the commit's: its disk, its origin, its settings
  | 'out' // a person took it out: suspended, or kept on another commit
  | 'ready' // prepared, waits for its permit
  | 'working' // on its way to ready, or from its permit to done
  | 'gone' // went away with its permit in hand, or after it was done: counts as on its way until the deadline
  | 'offline'
  | 'forgotten'; // left for good, or offline for so long that it leaves the offline budget

export interface RolloutAgent {
  readonly agentId: string;
  readonly standing: AgentState;
  readonly seen: AgentSeen;
  /** Its permit, or what it reports, lets it activate at any moment: unavailable until it reports. */
  readonly inFlight: boolean;
  /** Is still under way with another target, or may be. */
  readonly elsewhere: boolean;
  /** Had leave to activate it at any time: only then can the commit be why it failed. */
  readonly hadPermit: boolean;
  /** Passed the deadline in this look, and is not among the late of the record yet. */
  readonly overdue: boolean;
}

const IN_FLIGHT: readonly Report['phase'][] = ['swapping', 'activating', 'checking'];

/** Pure: the same picture gives the same answer to every leader. */
export function judgeAgent(seen: AgentSeen, rollout: Rollout, policy: Policy, time: Time): RolloutAgent {
  const { agentId, online } = seen;
  const { now } = time;
  const report = seen.report?.targetVersion === rollout.targetVersion ? seen.report : null;
  const permittedAt = permittedSince(seen, rollout);
  const permitted = permittedAt !== null;
  const under = isUnderWay(seen, rollout, policy, time);
  const elsewhere = under && !IN_FLIGHT.some((phase) => phase === report?.phase);
  // What hangs is down already; the way back must not wait for it.
  const takes = under && !(elsewhere && rollout.wayBack);
  const lost = rollout.latePermitted.includes(agentId);
  const is = (standing: AgentState, inFlight = false, overdue = false): RolloutAgent => ({
    ...{ agentId, standing, seen, inFlight, overdue, elsewhere },
    hadPermit: permitted || lost || [...rollout.revoked, ...rollout.cleared].includes(agentId),
  });
  // Its server went away for good, and said so.
  if (!online && hasLeft(seen.report)) return is('forgotten');
  if (isSuspended(seen.report) || isOverridden(report)) return is('out', permitted);
  const isActive = report?.phase === 'active';
  // Without waves no agent is watched afterwards: that it was there is enough.
  if (isActive && (online || !rollout.permits)) return is('done');
  if (report && hasGivenUp(report)) return is(isUnable(report) ? 'unable' : 'failed');
  if (online && isTogether(rollout.policy) && seen.cutover !== 'able') return is('unable');
  const ready = online && report?.phase === 'awaiting' && !permitted;
  // An agent that was late for want of a disk or an origin, or before its permit, and is ready now, was only slow.
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

/** Its report names what keeps it, and that is not the commit. */
const isUnable = (report: Report | null): boolean => report?.error != null && !blamesCommit(report.error);

/**
 * Tries again what failed before, and reports no error meanwhile. What failed was not the commit's: an agent gives up at
 * once for each code that speaks about the commit. What a try costs in `prepare` and later is the commit's.
 */
const isAgain = (report: Report | null): boolean =>
  report !== null && report.attempts > 0 && BY_THE_SERVER.includes(report.phase);

const BY_THE_SERVER: readonly Report['phase'][] = ['fetching', 'writing', 'verifying'];

/** Since when it may activate this very target: by its permit, or by the instant of its wave. Null: it may not. */
function permittedSince({ agentId, permit }: AgentSeen, rollout: Rollout): number | null {
  if (permit?.targetVersion === rollout.targetVersion) return permit.at;
  return rollout.activateAt !== null && rollout.members.includes(agentId) ? rollout.activateAt.at : null;
}

/** When its deadline starts; for one that is done, when it went away, while its wave or the canary is watched. */
function sinceWhen(seen: AgentSeen, rollout: Rollout, permittedAt: number | null, isActive: boolean): number | null {
  const { agentId, well } = seen;
  const isMember = rollout.members.includes(agentId);
  if (isActive ? !isMember && !rollout.canary.includes(agentId) : !isMember && permittedAt === null) return null;
  // A pause, and the time that it was well, are not counted against it.
  return Math.max(permittedAt ?? 0, rollout.waveAt, well);
}

type Time = Pick<Observed, 'now' | 'watched'>;

/** A leader that has not watched for long enough itself may read times of another clock, or not know what went on. */
const MAX_WATCH_MS = 60_000;

function isPast(since: number, policy: Policy, { now, watched }: Time): boolean {
  const deadlineMs = durationOf(policy.deadline);
  return now - since > deadlineMs && watched >= Math.min(deadlineMs, MAX_WATCH_MS);
}

/**
 * Without a permit of this rollout, but between swap and report all the same: by its own words, or by a permit of an
 * earlier target about whose end it has not said anything yet. A command that runs is not cut off by a newer target.
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

/** The code and the reason, as a rollout record and an outcome keep them. */
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
