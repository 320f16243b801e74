/**
 * One pass of the agent's loop: look, decide, act, report. agent.ts calls it repeatedly. All decisions are made
 * elsewhere, by pure functions.
 *
 * 1. Removed directories are created again, and the journal is brought to what the disk shows (repair-journal.ts).
 * 2. A release that failed is reverted before anything else (revert.ts).
 * 3. order.ts refuses a signed target that is older than what was accepted. decide.ts says what this agent pursues; a
 *    target that is new to it is accepted and begun, on the disk, before anything of it is fetched.
 * 4. plan.ts says the next action, from what the disk shows (observe.ts); act.ts performs it and what follows from it.
 * 5. If there is nothing to do, the agent reports that it rests, and does its maintenance.
 *
 * A pass that fails leaves what is served as it is; the next pass begins with another look at the disk.
 */
import { spread } from '../runtime/backoff.ts';
import { isCommitId } from '../schemas/commit-id.ts';
import { type ActMemory, type ActParts, act, recordFailure } from './act.ts';
import type { Signals } from './apply.ts';
import { fleetDeploys, isUnproven, type RolloutView } from './coordination/clearance.ts';
import { decide, type Pursuit } from './decide.ts';
import type { Maintenance } from './maintenance.ts';
import { type ObserveParts, observe } from './observe.ts';
import { baseInOrder, targetInOrder } from './order.ts';
import { type Decision, NOTHING_OBSERVED, plan, type Rest } from './plan.ts';
import { repairJournal } from './repair-journal.ts';
import { revert } from './revert.ts';
import type { Rotation } from './services/rotation.ts';
import { type AcceptedMemory, accept, noteEnded } from './state/accepted.ts';
import { beginTarget } from './state/activation.ts';
import { noteBase } from './state/link-history.ts';
import { readOverride } from './state/override.ts';
import { gaveUpOn, isBegun, noteRefusal } from './state/progress.ts';
import { readSuspension } from './state/suspension.ts';
import type { TargetHeard, Wanted, WantedTarget } from './state/wanted.ts';
import type { HealthWatch } from './steps/health-watch.ts';
import { factsOf } from './steps/run.ts';

export interface ReconcileParts extends ActParts, ObserveParts, AcceptedMemory {
  readonly resyncMs: number;
  /** Creates our directories again if they were removed. @throws FleetError LOCK_LOST: this process has to end. */
  readonly renewLock: () => Promise<void>;
  readonly maintenance: Maintenance;
  readonly rotation: Rotation;
  /** Why this agent must not act for the fleet now, such as another process that holds its name. */
  readonly blocked: () => string | null;
  /** The czxid of this agent's presence; undefined while it has none. */
  readonly joinedAt: () => bigint | undefined;
}

/** What a pass knows besides the journal and the disk. A restart loses it without harm. */
export interface Memory extends ActMemory {
  heard: TargetHeard;
  view: RolloutView;
  /** What the current pass, or the last one, is about. */
  wanted: Wanted;
  readonly healthWatch: HealthWatch;
}

/** @returns how long to rest, ms; null: start the next pass at once. */
export async function reconcileOnce(parts: ReconcileParts, memory: Memory, signals: Signals): Promise<number | null> {
  await parts.renewLock();
  const now = parts.clock.now();
  // By the journal, so that a crash between the two files loses nothing.
  await parts.rememberAccepted((accepted) => noteEnded(accepted, parts.journal(), now));
  const heard = targetInOrder(memory.heard, parts.accepted(), now);
  const view = baseInOrder(memory.view, parts.accepted(), now);
  await repair(parts, { heard, view });
  const { reversal } = parts.journal();
  if (reversal) {
    parts.emit('reverting', { reversal });
    await revert(parts, reversal, signals.stop);
    return null;
  }
  const pursuit = decide(await circumstances(parts, { heard, view }));
  const { wanted, suspended } = pursuit;
  memory.wanted = wanted;
  if (suspended) {
    parts.rotation.rejoin();
    memory.healthWatch.over(null);
    const because = { kind: 'suspended', suspension: suspended } as const;
    parts.emit('rest', { wanted, because, journal: parts.journal() });
    // The person may be changing files by hand: drift is reported and not restored.
    return soonest(parts, [await watchServed(parts, wanted, signals.interrupt, 'observe')]);
  }
  if (wanted.kind === 'target') await beginOnce(parts, memory, wanted, pursuit);
  const planned = await nextAction(parts, memory, pursuit);
  const next = await leaveFirst(parts, planned, wanted, signals.interrupt);
  const settled = next.do === 'rest' && next.because.kind === 'settled' && wanted.kind === 'target' ? wanted : null;
  const unwell = memory.healthWatch.over(settled && isUnproven(settled, view) ? settled : null);
  if (settled && unwell) {
    await recordFailure(parts, memory, 'health', settled, unwell);
    return null;
  }
  if (next.do !== 'rest') {
    if (wanted.kind === 'target') await act(parts, memory, [next.do, ...(next.next ?? [])], wanted, signals);
    return null;
  }
  parts.emit('rest', { wanted, because: next.because, journal: parts.journal() });
  const maintenanceInMs = settled
    ? await maintain(parts, settled, view, signals.interrupt)
    : await watchServed(parts, wanted, signals.interrupt, 'as set');
  const retryInMs = next.because.kind === 'failed' ? next.because.retryInMs : null;
  return soonest(parts, [maintenanceInMs, retryInMs, waitsForFloor(next.because) ? FLOOR_MS : null]);
}

const maintain = ({ maintenance }: ReconcileParts, wanted: WantedTarget, view: RolloutView, interrupt: AbortSignal) =>
  maintenance.next(wanted.target.commitId, wanted.targetVersion, fleetDeploys(wanted, view), interrupt);

type Heard = Pick<Memory, 'heard' | 'view'>;

/**
 * Brings the journal to what the disk shows. Keeps the base for the time when ZooKeeper is away, and notes a refusal.
 */
async function repair(parts: ReconcileParts, { view, heard }: Heard): Promise<void> {
  const before = parts.journal();
  const repaired = await repairJournal(parts.layout, before, parts.clock.now());
  const noted = noteRefusal(noteBase(repaired, view.base?.target), heard.wanted);
  if (noted !== before) await parts.remember(() => noted);
}

async function circumstances(parts: ReconcileParts, { heard, view }: Heard) {
  const { appState } = parts.layout;
  const [override, suspension] = await Promise.all([readOverride(appState), readSuspension(appState)]);
  const [blocked, joinedAt, journal] = [parts.blocked(), parts.joinedAt(), parts.journal()];
  return { heard, blocked, override, suspension, view, journal, joinedAt };
}

async function beginOnce(parts: ReconcileParts, memory: Memory, wanted: WantedTarget, pursuit: Pursuit) {
  const { target, targetVersion } = wanted;
  const { envelope } = target;
  if (envelope) {
    await parts.rememberAccepted((memory) => accept(memory, envelope, target));
    await parts.failpoint('accept.remembered');
  }
  if (isBegun(parts.journal(), targetVersion, target)) return;
  memory.checked = null;
  memory.nextTry = { at: 0 };
  await parts.remember((journal) => beginTarget(journal, target, targetVersion, pursuit.accepts, pursuit.late));
  await parts.failpoint('begin.remembered');
  parts.emit('begun', { wanted });
}

async function nextAction(parts: ReconcileParts, memory: Memory, { wanted, clearance }: Pursuit): Promise<Decision> {
  const journal = parts.journal();
  const waitMs = journal.progress?.activation === 'failed' ? null : memory.nextTry.at - parts.clock.monotonic();
  const retryInMs = waitMs === null || waitMs === Number.POSITIVE_INFINITY ? null : Math.max(0, waitMs);
  // What a person on this server chose is tried again even if it was given up.
  const gaveUp = wanted.kind === 'target' && !wanted.override ? gaveUpOn(journal, wanted) : null;
  const past = { progress: journal.progress, gaveUp, retryInMs };
  // The disk is not read without need: each look-up in git is a process.
  const blind = wanted.kind !== 'target' || gaveUp !== null;
  const observed = blind ? NOTHING_OBSERVED : await observe(parts, wanted, journal, memory.checked);
  return plan(wanted, observed, past, clearance);
}

/**
 * Takes the server out of its services from before the swap to the end of the checks; with any other decision it
 * returns. For a target that a person on this server chose, and for one swapped before a crash, the wait for others is
 * bounded, as before a swap back.
 */
async function leaveFirst(parts: ReconcileParts, planned: Decision, wanted: Wanted, interrupt: AbortSignal) {
  const { rotation } = parts;
  const isShown = planned.do === 'activate' || planned.do === 'health';
  if (wanted.kind !== 'target' || (planned.do !== 'swap' && !isShown)) {
    rotation.rejoin();
    return planned;
  }
  if (isShown || wanted.override) {
    await rotation.leaveToReturn(factsOf(parts, wanted), interrupt);
    return planned;
  }
  const waitingFor = await rotation.leave(interrupt);
  return waitingFor === null ? planned : awaitFloor(waitingFor);
}

const awaitFloor = (waitingFor: string): Decision => ({
  do: 'rest',
  because: { kind: 'awaiting', waitingFor, floor: true },
});

/** No bell rings here when other instances come back. */
const FLOOR_MS = 1_000;
const waitsForFloor = (because: Rest): boolean => because.kind === 'awaiting' && because.floor === true;

/** Maintains what is served while the target waits, is refused or has failed. Null: nothing is served. */
async function watchServed(parts: ReconcileParts, wanted: Wanted, signal: AbortSignal, drift: 'as set' | 'observe') {
  const { links, progress } = parts.journal();
  const path = wanted.kind === 'target' ? wanted.target.relativePath : progress?.relativePath;
  const served = path === undefined ? undefined : links[path];
  return served !== undefined && isCommitId(served) ? await parts.maintenance.watch(served, signal, drift) : null;
}

/** Null: at once. */
function soonest(parts: ReconcileParts, dueInMs: readonly (number | null)[]): number | null {
  const first = Math.min(...dueInMs.map((ms) => ms ?? Number.POSITIVE_INFINITY));
  return first === 0 ? null : Math.min(first, spread(parts.resyncMs, 0.2, parts.random));
}
