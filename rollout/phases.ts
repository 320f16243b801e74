import { atLeastOne, canaryOf, nextWave, type WaveAgent } from '../fleet/waves.ts';
import { amountOf, durationOf, isTogether, type Policy } from '../schemas/policy.ts';
import { hasGivenUp } from '../schemas/report.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { type Action, changing, type RolloutChange, rest } from './action.ts';
import type { RolloutAgent } from './agent-state.ts';
import { brokenBudget, codesOf } from './budget.ts';
import { nextInstant, whyNoneSwaps } from './cutover.ts';
import { finish, isHopeless, prove } from './finish.ts';
import type { Observed, WantedDeployment } from './observed.ts';
import { failuresIn, namesOf, type Summary, summarize } from './summary.ts';

/**
 * Advances a rollout with a policy: notes late agents, stops if the budget is exceeded, lets a finished wave soak
 * before the next one begins, and gives permits to ready agents as long as not too many are between permit and report.
 */
export function advance(picture: Observed, wanted: WantedDeployment, before: Rollout, policy: Policy): Action {
  const timed = before.waveAt === 0 ? { ...before, waveAt: picture.now } : before;
  const tally = summarize(picture, timed, policy);
  const rollout = withLate(timed, tally);
  const broken = brokenBudget(tally, rollout, policy);
  if (broken && policy.onFailure !== 'continue') return finish(picture, wanted, rollout, policy, broken);
  const now = withMembers(rollout, policy, tally);
  const stuck = whyStuck(now, policy, tally, picture.now) ?? whyNoneSwaps(now, tally);
  if (stuck) {
    const failures = failuresIn(now, tally.of('failed', 'unable'));
    return changing('halt', stuck, { ...now, state: 'halted', reason: stuck, failures, soakAt: null });
  }
  const held = whyHeld(now, policy, tally);
  const soakAt = isSettled(now, tally) ? now.soakAt : null;
  if (held) return settle('note', held, before, { ...now, reason: held, soakAt }, tally, []);
  const going = now.reason === '' ? now : { ...now, reason: '' };
  if (!isSettled(going, tally)) return permit(before, { ...going, soakAt: null }, policy, tally);
  return (
    soak(picture, before, going, policy, tally) ??
    next(picture, wanted, before, going, policy, tally, broken?.why ?? null)
  );
}

function withLate(rollout: Rollout, tally: Summary): Rollout {
  const overdue = tally.agents.filter((each) => each.overdue);
  if (overdue.length === 0) return rollout;
  const add = (known: readonly string[], more: readonly RolloutAgent[]) =>
    [...new Set([...known, ...more.map((each) => each.agentId)])].toSorted();
  const permitted = overdue.filter((each) => each.hadPermit && each.standing === 'failed');
  const unable = overdue.filter((each) => each.standing === 'unable');
  return {
    ...rollout,
    late: add(rollout.late, overdue),
    latePermitted: add(rollout.latePermitted, permitted),
    lateUnable: add(rollout.lateUnable, unable),
    revoked: add(
      rollout.revoked,
      unable.filter((each) => each.hadPermit),
    ),
  };
}

/**
 * An agent that left before its turn is no longer a member. A canary that lost agents takes others. On the way back,
 * agents that hang go last.
 */
function withMembers(rollout: Rollout, policy: Policy, tally: Summary): Rollout {
  const left = new Set(
    [...tally.of('offline', 'forgotten', 'out', 'unable'), ...hanging(rollout, tally)].map((each) => each.agentId),
  );
  const known = new Set(tally.agents.map((each) => each.agentId));
  // In a cutover, an agent that is late has lost its instant, too.
  const isLate = (id: string) => isTogether(policy) && rollout.late.includes(id);
  const stays = (id: string) => known.has(id) && !left.has(id) && !isLate(id);
  if (!isCanary(rollout, policy) || rollout.activateAt !== null)
    return { ...rollout, members: rollout.members.filter(stays) };
  const kept = rollout.canary.filter(stays);
  const chosen = withOthers(policy, kept, tally.of('ready', 'working'), tally.all);
  // An agent that shows it already tests nothing, but may be the only one that the selector matches.
  const canary = chosen.length > 0 ? chosen : withOthers(policy, kept, tally.of('done'), tally.all);
  return { ...rollout, canary, members: canary };
}

function withOthers(policy: Policy, kept: readonly string[], others: readonly RolloutAgent[], all: number): string[] {
  const more = others.filter((each) => !kept.includes(each.agentId)).map(candidate);
  const candidates = [...kept.map((agentId) => ({ agentId, labels: {} })), ...more];
  return [...new Set([...kept, ...canaryOf(policy, candidates, kept, all)])].toSorted();
}

/** On the way back: agents that are busy with another target, as long as there are others left. */
function hanging(rollout: Rollout, tally: Summary): readonly RolloutAgent[] {
  const left = tally.of('ready', 'working');
  const busy = rollout.wayBack ? left.filter((each) => each.elsewhere) : [];
  return busy.length < left.length ? busy : [];
}

/**
 * What keeps everything waiting although the commit failed nowhere; null: nothing does. A server that cannot deploy for
 * a reason of its own counts as away, against the same budget.
 */
function whyHeld(rollout: Rollout, policy: Policy, tally: Summary): string | null {
  // An agent that went away after it was done counts against the budget too: a commit may take its server down.
  const offline = tally.agents.filter((each) => each.standing === 'offline' || isLost(each));
  const unable = unableIn(rollout, tally);
  const most = amountOf(policy.offlineBudget, tally.all);
  if (tally.of('done', 'ready', 'working', 'gone', 'failed', 'unable').length === 0) {
    return offline.length === 0 ? 'no agent is online' : `no agent is online; ${namesOf(offline)} went away`;
  }
  if (offline.length + unable.length > most) {
    return `${awayWords(rollout, offline, unable, tally.all)}, the policy allows ${most}: waiting until some are back${offline.length > 0 ? ' (gone for good: gitfleet forget --older 1h)' : ''}`;
  }
  if (isCanary(rollout, policy) && rollout.canary.length === 0 && tally.of('ready', 'working').length > 0) {
    return `no agent that is online is chosen as canary by ${policy.canary}`;
  }
  return null;
}

function awayWords(rollout: Rollout, offline: readonly RolloutAgent[], unable: readonly RolloutAgent[], all: number) {
  const gone = `${offline.length} of ${all} agents are offline (${namesOf(offline)})`;
  if (unable.length === 0) return gone;
  const cannot = `${unable.length} of ${all} agents cannot deploy it (${codesOf(unable, rollout)})`;
  return offline.length === 0 ? cannot : `${gone}, ${cannot}`;
}

/** Those that a person has not excused. */
const unableIn = (rollout: Rollout, tally: Summary): readonly RolloutAgent[] =>
  tally.of('unable').filter((each) => !rollout.excused.includes(each.agentId));

/**
 * No server is left that could still deploy it, and more cannot than the policy allows to be away, or none shows it.
 * Only a person, or another target, changes that. Null: it may still succeed.
 */
function whyStuck(rollout: Rollout, policy: Policy, tally: Summary, now: number): string | null {
  const unable = unableIn(rollout, tally);
  const gaveUp = unable.filter((each) => hasGivenUp(each.seen.report));
  const most = amountOf(policy.offlineBudget, tally.all);
  if (tally.of('ready', 'working', 'gone').length > 0 || gaveUp.length < unable.length) return null;
  const isAlone = gaveUp.length > 0 && tally.of('failed').length === 0 && isHopeless(tally, policy, now);
  if (gaveUp.length <= most && !isAlone) return null;
  return `${awayWords(rollout, [], gaveUp, tally.all)}; the commit is not the cause`;
}

const isCanary = (rollout: Rollout, policy: Policy): boolean => policy.canary !== undefined && rollout.wave === 0;

/** Whether it went away after it was done. */
const isLost = ({ standing, inFlight }: RolloutAgent): boolean => standing === 'gone' && !inFlight;

/** Whether every agent of the wave is done, or failed within the budget, and no agent of the canary has gone away. */
function isSettled(rollout: Rollout, tally: Summary): boolean {
  return openOf(rollout, tally, 'ready').length === 0;
}

function openOf({ members, canary }: Rollout, tally: Summary, ...more: 'ready'[]): readonly RolloutAgent[] {
  return tally
    .of('working', 'gone', ...more)
    .filter((each) => members.includes(each.agentId) || (isLost(each) && canary.includes(each.agentId)));
}

/** One action is one transaction, for which ZooKeeper allows up to one MiB. The rest is left to the next action. */
const MAX_PER_ORDER = 500;

/** Gives permits to the ready agents of the wave, while not too many are in flight. */
function permit(before: Rollout, rollout: Rollout, policy: Policy, tally: Summary): Action {
  if (isTogether(policy)) return together(before, rollout, tally);
  const ready = tally.of('ready').filter((each) => rollout.members.includes(each.agentId));
  const free = Math.max(0, atLeastOne(policy.maxParallel, tally.all) - inFlight(tally).length);
  const grant = ready.slice(0, Math.min(free, MAX_PER_ORDER)).map((each) => each.agentId);
  const waiting = openOf(rollout, tally);
  // If no place is free, the wait is for those that hold one, even for an earlier target.
  const holders = ready.length > free ? inFlight(tally).filter((each) => !waiting.includes(each)) : [];
  const open = [...waiting, ...holders];
  const why =
    grant.length > 0 ? `permits for ${grant.join(', ')}` : `wave ${rollout.wave}: waiting for ${namesOf(open)}`;
  // A permit is a new try: earlier failures are neither counted against the agent nor excused.
  const others = (ids: readonly string[]) => ids.filter((id) => !grant.includes(id));
  const { late, lateUnable, excused } = rollout;
  const given = { ...rollout, late: others(late), lateUnable: others(lateUnable), excused: others(excused) };
  return settle('permit', why, before, given, tally, grant);
}

/** In a cutover the members get one instant and no permits. */
function together(before: Rollout, rollout: Rollout, tally: Summary): Action {
  const { why, rollout: next, instantInMs } = nextInstant(rollout, tally, openOf(rollout, tally));
  return instantInMs === null
    ? settle('permit', why, before, next, tally, [])
    : changing('cutover', why, next, { instantInMs });
}

/** Agents that may activate at any moment. One that is late with a permit loses it in the same action. */
const inFlight = (tally: Summary): readonly RolloutAgent[] =>
  tally.agents.filter((each) => each.inFlight && !isRevoked(each));

const isRevoked = ({ standing, inFlight, seen }: RolloutAgent): boolean =>
  inFlight && seen.permit !== null && (standing === 'failed' || standing === 'unable' || standing === 'out');

/** Null: the wave has soaked long enough. */
function soak(picture: Observed, before: Rollout, rollout: Rollout, policy: Policy, tally: Summary): Action | null {
  const passed = rollout.promoted?.wave === rollout.wave;
  const soakMs = durationOf(policy.soak);
  if (passed) return null;
  if (soakMs > 0 && rollout.soakAt === null) {
    const why = `wave ${rollout.wave} is done, it soaks for ${policy.soak}`;
    return settle('soak', why, before, { ...rollout, soakAt: picture.now }, tally, []);
  }
  if (soakMs > picture.now - (rollout.soakAt ?? 0)) {
    return settle('note', `wave ${rollout.wave} soaks for ${policy.soak}`, before, rollout, tally, []);
  }
  if (policy.promote === 'auto' || !isCanary(rollout, policy)) return null;
  const why = 'the canary is well: waiting for gitfleet promote';
  return settle('note', why, before, { ...rollout, reason: why }, tally, []);
}

function next(
  picture: Observed,
  wanted: WantedDeployment,
  before: Rollout,
  rollout: Rollout,
  policy: Policy,
  tally: Summary,
  broken: string | null,
): Action {
  const left = tally.of('ready', 'working');
  if (left.length === 0) return prove(picture, wanted, rollout, tally, broken);
  const busy = hanging(rollout, tally);
  const members = nextWave(policy, left.filter((each) => !busy.includes(each)).map(candidate), tally.all);
  const wave = { ...rollout, wave: rollout.wave + 1, members, waveAt: picture.now, activateAt: null, soakAt: null };
  const begun = permit(before, wave, policy, tally) as RolloutChange;
  return { ...begun, do: 'wave', why: `wave ${wave.wave}: ${namesOf(members.map((agentId) => ({ agentId })))}` };
}

const candidate = ({ agentId, seen }: RolloutAgent): WaveAgent => ({ agentId, labels: seen.labels });

/** One action if there is anything to write, else a rest. */
function settle(
  name: RolloutChange['do'],
  why: string,
  before: Rollout,
  rollout: Rollout,
  tally: Summary,
  grant: readonly string[],
): Action {
  const revoke = tally.agents
    .filter(isRevoked)
    .slice(0, MAX_PER_ORDER)
    .map((each) => each.agentId);
  const changed = JSON.stringify(rollout) !== JSON.stringify(before);
  if (!changed && grant.length + revoke.length === 0) return rest(why);
  return changing(name, why, changed ? rollout : null, { grant, revoke });
}
