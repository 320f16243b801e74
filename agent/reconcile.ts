import { spread } from '../runtime/backoff.ts';
import { isCommitId } from '../schemas/commit-id.ts';
import { type ActMemory, type ActParts, act, recordFailure } from './act.ts';
import {
  baseMeanwhile,
  type Clearance,
  clearanceOf,
  isUnproven,
  policyFor,
  type RolloutView,
} from './coordination/clearance.ts';
import type { TargetHeard } from './coordination/target-feed.ts';
import { nothingHeard } from './coordination/target-feed.ts';
import type { Maintenance } from './maintenance.ts';
import { type ObserveParts, observe } from './observe.ts';
import { type Decision, NOTHING_OBSERVED, plan, type Wanted, type WantedTarget } from './plan.ts';
import { repairJournal } from './repair-journal.ts';
import { revert } from './revert.ts';
import type { Journal } from './state/journal.ts';
import { applyOverride, readOverride } from './state/override.ts';
import { begin, gaveUpOn, isBegun, isDone, isHalfway, noteRefusal, unfinished } from './state/progress.ts';
import { readSuspension } from './state/suspension.ts';
import type { HealthWatch } from './steps/health-watch.ts';

export interface ReconcileParts extends ActParts, ObserveParts {
  readonly resyncMs: number;
  readonly maintenance: Maintenance;
  /** Why this agent may not act now although there is a target, such as another process that holds its name. */
  readonly blocked: () => string | null;
  /** The czxid of this agent's presence; undefined while it has none. */
  readonly joinedAt: () => bigint | undefined;
}

/** What one turn knows beside journal and disk; lost at a restart without harm. */
export interface Memory extends ActMemory {
  heard: TargetHeard;
  view: RolloutView;
  /** What the turn that runs is about. */
  wanted: Wanted;
  readonly healthWatch: HealthWatch;
}

/** One look, and one step with what follows from it. Resolves to how long to rest, or null to look again at once. */
export async function reconcileOnce(
  parts: ReconcileParts,
  memory: Memory,
  turn: AbortSignal,
  stop: AbortSignal,
): Promise<number | null> {
  await repair(parts, memory);
  const { reversal } = parts.journal();
  if (reversal) {
    parts.status.reverting(reversal);
    await revert(parts, reversal, stop);
    return null;
  }
  const blocked = parts.blocked();
  const { wanted: heard, write } = blocked === null ? memory.heard : nothingHeard(blocked);
  const asked = (blocked === null && heard.kind === 'nothing' && unfinished(parts.journal())) || heard;
  const obeyed = applyOverride(asked, await readOverride(parts.layout.appState), parts.journal());
  const leave = clearanceFor(obeyed, memory.view);
  const late = isLate(parts, obeyed, write);
  const wanted = leave.kind === 'go' ? obeyed : insteadOf(obeyed, memory.view, parts.journal(), late);
  memory.wanted = wanted;

  const suspension = await readSuspension(parts.layout.appState);
  if (suspension && !isUnfinished(wanted, parts.journal())) {
    memory.healthWatch.over(null);
    parts.status.rest(wanted, { kind: 'suspended', suspension }, parts.journal());
    // Whoever suspends it may be changing files by hand: they are named, not put right.
    return soonest(parts, [await watchServed(parts, wanted, turn, 'observe')]);
  }
  if (wanted.kind === 'target' && !isBegun(parts.journal(), wanted.targetVersion, wanted.target)) {
    memory.checked = null;
    memory.nextTry = { at: 0 };
    // Under an override nothing of the fleet's was accepted anew.
    const accepted = wanted.override ? null : write;
    await parts.remember((journal) => begin(journal, wanted.target, wanted.targetVersion, accepted, late));
    await parts.failpoint('begin.remembered');
    parts.status.begin(wanted);
  }
  const step = await nextStep(parts, memory, wanted, leave);
  const settled = step.do === 'rest' && step.because.kind === 'settled' && wanted.kind === 'target' ? wanted : null;
  const unwell = memory.healthWatch.over(settled && isUnproven(settled, memory.view) ? settled : null);
  if (settled && unwell) {
    await recordFailure(parts, memory, 'health', settled, unwell);
    return null;
  }
  if (step.do !== 'rest') {
    if (wanted.kind === 'target') await act(parts, memory, [step.do, ...(step.next ?? [])], wanted, turn, stop);
    return null;
  }
  parts.status.rest(wanted, step.because, parts.journal());
  const choreInMs = settled
    ? await parts.maintenance.next(settled.target.commitId, settled.targetVersion, turn)
    : await watchServed(parts, wanted, turn, 'as set');
  const retryInMs = step.because.kind === 'failed' ? step.because.retryInMs : null;
  return soonest(parts, [choreInMs, retryInMs]);
}

/** Null: at once. */
function soonest(parts: ReconcileParts, dueInMs: readonly (number | null)[]): number | null {
  const first = Math.min(...dueInMs.map((ms) => ms ?? Number.POSITIVE_INFINITY));
  return first === 0 ? null : Math.min(first, spread(parts.resyncMs, 0.2, parts.random));
}

/** What is served meanwhile, while the target waits, is refused or has failed. Null: nothing is. */
async function watchServed(parts: ReconcileParts, wanted: Wanted, turn: AbortSignal, drift: 'as set' | 'observe') {
  const { links, progress } = parts.journal();
  const path = wanted.kind === 'target' ? wanted.target.relativePath : progress?.relativePath;
  const served = path === undefined ? undefined : links[path];
  return served !== undefined && isCommitId(served) ? await parts.maintenance.watch(served, turn, drift) : null;
}

/** The journal follows the disk, keeps the base for the time when nobody can be asked, and says what is refused. */
async function repair(parts: ReconcileParts, { view, heard }: Memory): Promise<void> {
  const before = parts.journal();
  let repaired = await repairJournal(parts.layout, before, parts.clock.now());
  const base = view.base?.target;
  if (base && (repaired.base?.commitId !== base.commitId || repaired.base.relativePath !== base.relativePath)) {
    repaired = { ...repaired, base: { commitId: base.commitId, relativePath: base.relativePath } };
  }
  repaired = noteRefusal(repaired, heard.wanted);
  if (repaired !== before) await parts.remember(() => repaired);
}

function clearanceFor(wanted: Wanted, view: RolloutView): Clearance {
  // A person on this server needs nobody's leave.
  if (wanted.kind !== 'target' || wanted.override) return { kind: 'go' };
  return clearanceOf(wanted.targetVersion, view, policyFor(wanted.target, view));
}

/** Whether the target was published while this agent was not online; said once, and remembered over restarts. */
function isLate(parts: ReconcileParts, wanted: Wanted, write: TargetHeard['write']): boolean {
  const { accepted } = parts.journal();
  if (wanted.kind !== 'target' || !write) return false;
  if (accepted?.targetVersion === wanted.targetVersion) return accepted.late ?? false;
  const joinedAt = parts.joinedAt();
  return joinedAt === undefined || joinedAt > write.mzxid;
}

function insteadOf(wanted: Wanted, { base }: RolloutView, journal: Journal, late: boolean): Wanted {
  if (wanted.kind !== 'target') return wanted;
  return baseMeanwhile(wanted, base, journal.links, journal.owed, late) ?? wanted;
}

/** What a person who suspends does not stop: their own word until it is done, and what follows a swap that has happened. */
function isUnfinished(wanted: Wanted, journal: Journal): boolean {
  if (wanted.kind !== 'target') return false;
  const begun = isBegun(journal, wanted.targetVersion, wanted.target);
  if (begun && isDone(journal)) return false;
  return wanted.override !== undefined || (begun && isHalfway(journal));
}

async function nextStep(parts: ReconcileParts, memory: Memory, wanted: Wanted, leave: Clearance): Promise<Decision> {
  const { progress } = parts.journal();
  const waitMs = progress?.activation === 'failed' ? null : memory.nextTry.at - parts.clock.monotonic();
  const retryInMs = waitMs === null || waitMs === Number.POSITIVE_INFINITY ? null : Math.max(0, waitMs);
  if (wanted.kind !== 'target') return plan(wanted, NOTHING_OBSERVED, progress, retryInMs, leave);
  const gaveUp = wanted.override ? null : gaveUpOn(parts.journal(), wanted);
  if (gaveUp) return givenUp(gaveUp);
  return plan(
    wanted,
    await observe(parts, wanted, parts.journal(), memory.checked),
    progress,
    retryInMs,
    clearanceOfBase(wanted, leave),
  );
}

/** The base needs no leave: it is proven. */
const clearanceOfBase = (wanted: WantedTarget, leave: Clearance): Clearance =>
  wanted.meanwhile === undefined ? leave : { kind: 'go' };

const givenUp = ({ failure, output }: NonNullable<Journal['gaveUp']>): Decision => ({
  do: 'rest',
  because: { kind: 'failed', failure, retryInMs: null, ...(output === '' ? {} : { output }) },
});
