import { spread } from '../runtime/backoff.ts';
import type { CommitId } from '../schemas/values.ts';
import { failStep, type StepMemory, type StepParts, takeSteps } from './act.ts';
import { isUnproven, type Leave, leaveOf, meanwhile, type Orders, policyFor } from './coordination/clearance.ts';
import type { Desired } from './coordination/target-feed.ts';
import { nothing } from './coordination/target-feed.ts';
import type { Chores } from './maintenance.ts';
import { type ObserveParts, observe } from './observe.ts';
import { NOTHING_OBSERVED, plan, type Step, type Wanted, type WantedTarget } from './plan.ts';
import { reconcile } from './repair-journal.ts';
import { clearUp } from './revert.ts';
import type { Journal } from './state/journal.ts';
import { obey, readOverride } from './state/override.ts';
import { begin, gaveUpOn, isBegun, isDone, isHalfway, noteRefusal, unfinished } from './state/progress.ts';
import { readSuspension } from './state/suspension.ts';
import type { HealthWatch } from './steps/health-watch.ts';

export interface TurnParts extends StepParts, ObserveParts {
  readonly rereadMs: number;
  readonly chores: Chores;
  /** Why this agent may not act now although there is a target, such as another process that holds its name. */
  readonly blocked: () => string | null;
  /** The czxid of this agent's presence; undefined while it has none. */
  readonly joinedAt: () => bigint | undefined;
}

/** What one turn knows beside journal and disk; lost at a restart without harm. */
export interface Memory extends StepMemory {
  desired: Desired;
  orders: Orders;
  /** What the turn that runs is about. */
  wanted: Wanted;
  readonly healthWatch: HealthWatch;
}

/** One look, and one step with what follows from it. Resolves to how long to rest, or null to look again at once. */
export async function takeTurn(
  parts: TurnParts,
  memory: Memory,
  turn: AbortSignal,
  stop: AbortSignal,
): Promise<number | null> {
  await mend(parts, memory);
  const { aftermath } = parts.journal();
  if (aftermath) {
    parts.standing.clearingUp(aftermath);
    await clearUp(parts, aftermath, stop);
    return null;
  }
  const blocked = parts.blocked();
  const { wanted: heard, write } = blocked === null ? memory.desired : nothing(blocked);
  const asked = (blocked === null && heard.kind === 'nothing' && unfinished(parts.journal())) || heard;
  const obeyed = obey(asked, await readOverride(parts.places.appState), parts.journal());
  const leave = leaveFor(obeyed, memory.orders);
  const late = isLate(parts, obeyed, write);
  const wanted = leave.kind === 'go' ? obeyed : insteadOf(obeyed, memory.orders, parts.journal(), late);
  memory.wanted = wanted;

  const suspension = await readSuspension(parts.places.appState);
  if (suspension && !isUnfinished(wanted, parts.journal())) {
    memory.healthWatch.over(null);
    parts.standing.rest(wanted, { kind: 'suspended', suspension }, parts.journal());
    // Whoever suspends it may be changing files by hand: they are named, not put right.
    return soonest(parts, [await watchServed(parts, wanted, turn, 'observe')]);
  }
  if (wanted.kind === 'target' && !isBegun(parts.journal(), wanted.targetVersion, wanted.target)) {
    memory.checked = null;
    memory.patience = { at: 0 };
    // Under an override nothing of the fleet's was accepted anew.
    const accepted = wanted.override ? null : write;
    await parts.remember((journal) => begin(journal, wanted.target, wanted.targetVersion, accepted, late));
    await parts.failpoint('begin.remembered');
    parts.standing.begin(wanted);
  }
  const step = await nextStep(parts, memory, wanted, leave);
  const settled = step.do === 'rest' && step.because.kind === 'settled' && wanted.kind === 'target' ? wanted : null;
  const unwell = memory.healthWatch.over(settled && isUnproven(settled, memory.orders) ? settled : null);
  if (settled && unwell) {
    await failStep(parts, memory, 'health', settled, unwell);
    return null;
  }
  if (step.do !== 'rest') {
    if (wanted.kind === 'target') await takeSteps(parts, memory, [step.do, ...(step.next ?? [])], wanted, turn, stop);
    return null;
  }
  parts.standing.rest(wanted, step.because, parts.journal());
  const choreInMs = settled
    ? await parts.chores.next(settled.target.commitId, settled.targetVersion, turn)
    : await watchServed(parts, wanted, turn, 'as set');
  const retryInMs = step.because.kind === 'failed' ? step.because.retryInMs : null;
  return soonest(parts, [choreInMs, retryInMs]);
}

/** Null: at once. */
function soonest(parts: TurnParts, dueInMs: readonly (number | null)[]): number | null {
  const first = Math.min(...dueInMs.map((ms) => ms ?? Number.POSITIVE_INFINITY));
  return first === 0 ? null : Math.min(first, spread(parts.rereadMs, 0.2, parts.chance));
}

/** What is served meanwhile, while the target waits, is refused or has failed. Null: nothing is. */
async function watchServed(parts: TurnParts, wanted: Wanted, turn: AbortSignal, drift: 'as set' | 'observe') {
  const { links, progress } = parts.journal();
  const path = wanted.kind === 'target' ? wanted.target.relativePath : progress?.relativePath;
  const served = path === undefined ? undefined : links[path];
  return served === undefined ? null : await parts.chores.watch(served as CommitId, turn, drift);
}

/** The journal follows the disk, keeps the base for the time when nobody can be asked, and says what is refused. */
async function mend(parts: TurnParts, { orders, desired }: Memory): Promise<void> {
  const before = parts.journal();
  let mended = await reconcile(parts.places, before, parts.clock.now());
  const base = orders.rollout?.base;
  if (base && (mended.base?.commitId !== base.commitId || mended.base.relativePath !== base.relativePath)) {
    mended = { ...mended, base: { commitId: base.commitId, relativePath: base.relativePath } };
  }
  mended = noteRefusal(mended, desired.wanted);
  if (mended !== before) await parts.remember(() => mended);
}

function leaveFor(wanted: Wanted, orders: Orders): Leave {
  // A person on this server needs nobody's leave.
  if (wanted.kind !== 'target' || wanted.override) return { kind: 'go' };
  return leaveOf(wanted.targetVersion, orders, policyFor(wanted.target, orders));
}

/** Whether the target was published while this agent was not online; said once, and remembered over restarts. */
function isLate(parts: TurnParts, wanted: Wanted, write: Desired['write']): boolean {
  const { accepted } = parts.journal();
  if (wanted.kind !== 'target' || !write) return false;
  if (accepted?.targetVersion === wanted.targetVersion) return accepted.late ?? false;
  const joinedAt = parts.joinedAt();
  return joinedAt === undefined || joinedAt > write.mzxid;
}

function insteadOf(wanted: Wanted, { rollout }: Orders, journal: Journal, late: boolean): Wanted {
  if (wanted.kind !== 'target') return wanted;
  return meanwhile(wanted, rollout, journal.links, journal.owed, late) ?? wanted;
}

/** What a person who suspends does not stop: their own word until it is done, and what follows a swap that has happened. */
function isUnfinished(wanted: Wanted, journal: Journal): boolean {
  if (wanted.kind !== 'target') return false;
  const begun = isBegun(journal, wanted.targetVersion, wanted.target);
  if (begun && isDone(journal)) return false;
  return wanted.override !== undefined || (begun && isHalfway(journal));
}

async function nextStep(parts: TurnParts, memory: Memory, wanted: Wanted, leave: Leave): Promise<Step> {
  const { progress } = parts.journal();
  const waitMs = progress?.activation === 'failed' ? null : memory.patience.at - parts.clock.monotonic();
  const retryInMs = waitMs === null || waitMs === Number.POSITIVE_INFINITY ? null : Math.max(0, waitMs);
  if (wanted.kind !== 'target') return plan(wanted, NOTHING_OBSERVED, progress, retryInMs, leave);
  const gaveUp = wanted.override ? null : gaveUpOn(parts.journal(), wanted);
  if (gaveUp) return givenUp(gaveUp);
  return plan(
    wanted,
    await observe(parts, wanted, parts.journal(), memory.checked),
    progress,
    retryInMs,
    leaveOfBase(wanted, leave),
  );
}

/** The base needs no leave: it is proven. */
const leaveOfBase = (wanted: WantedTarget, leave: Leave): Leave =>
  wanted.meanwhile === undefined ? leave : { kind: 'go' };

const givenUp = ({ failure, output }: NonNullable<Journal['gaveUp']>): Step => ({
  do: 'rest',
  because: { kind: 'failed', failure, retryInMs: null, ...(output === '' ? {} : { output }) },
});
