/**
 * What this agent pursues, chosen from everything that has a say in it. Pure. The table: test/agent/decide.test.ts.
 *
 * 1. The fleet asks for the target in `config`. While another process holds this agent's name, the fleet asks for
 *    nothing. If nothing is asked for and an activation is unfinished, the agent finishes it.
 * 2. A person on this server (an override) takes precedence over the fleet, until the fleet has a newer target.
 * 3. A target that is not cleared waits. Meanwhile the agent keeps what it serves. An agent that serves nothing, or was
 *    offline when the target was published, shows the fleet's base.
 * 4. A suspended agent begins nothing. It still finishes an override, and what follows a swap that has happened.
 *
 * Whether a release is fetched, written or swapped for that is decided in plan.ts, not here.
 */
import { parseKept } from '../schemas/target.ts';
import type { TargetVersion } from '../schemas/values.ts';
import { baseMeanwhile, type Clearance, clearanceOf, policyFor, type RolloutView } from './coordination/clearance.ts';
import type { Journal } from './state/journal.ts';
import type { Override } from './state/override.ts';
import { isBegun, isDone, isHalfway, unfinished } from './state/progress.ts';
import type { Suspension } from './state/suspension.ts';
import { nothingHeard, type TargetHeard, type Wanted } from './state/wanted.ts';

export interface Circumstances {
  readonly heard: TargetHeard;
  /** Why this agent must not act for the fleet now, such as another process that holds its name. */
  readonly blocked: string | null;
  readonly override: Override | null;
  readonly suspension: Suspension | null;
  readonly view: RolloutView;
  readonly journal: Journal;
  /** The czxid of this agent's presence; undefined while it has none. */
  readonly joinedAt: bigint | undefined;
}

export interface Pursuit {
  readonly wanted: Wanted;
  /** The rule that chose it. */
  readonly why: 'target' | 'refused' | 'nothing' | 'blocked' | 'unfinished' | 'override' | 'base';
  /** Whether the wanted target may be activated. The base always may: it is proven. */
  readonly clearance: Clearance;
  /** The write of `config` that is accepted when this begins. Null if it does not come from the fleet's target. */
  readonly accepts: TargetHeard['write'];
  /** Whether the fleet's target was published while this agent was offline. */
  readonly late: boolean;
  /** Set if a person suspended this server and the agent therefore does nothing. */
  readonly suspended: Suspension | null;
}

export function decide(circumstances: Circumstances): Pursuit {
  const { view, journal, override, suspension } = circumstances;
  const asked = askedFor(circumstances);
  const wanted = applyOverride(asked.wanted, override, journal);
  const late = isLate(circumstances, wanted, asked.write);
  const clearance = clearanceFor(wanted, view);
  const base = clearance.kind === 'go' ? null : insteadOf(wanted, view, journal, late);
  const pursued = base ?? wanted;
  const isOverride = pursued.kind === 'target' && pursued.override !== undefined;
  return {
    wanted: pursued,
    why: base ? 'base' : isOverride ? 'override' : asked.why,
    clearance: base ? CLEARED : clearance,
    accepts: isOverride ? null : asked.write,
    late,
    suspended: suspension && !mustBeFinished(pursued, journal) ? suspension : null,
  };
}

interface Asked extends TargetHeard {
  readonly why: Pursuit['why'];
}

const CLEARED: Clearance = { kind: 'go' };

function askedFor({ heard, blocked, journal }: Circumstances): Asked {
  if (blocked !== null) return { ...nothingHeard(blocked), why: 'blocked' };
  const { wanted, write } = heard;
  const left = wanted.kind === 'nothing' ? unfinished(journal) : null;
  return left ? { wanted: left, write, why: 'unfinished' } : { wanted, write, why: wanted.kind };
}

/**
 * The override's commit, while the target that it was given against is still the newest: the wanted one, or the last
 * accepted one if none is wanted. Once it is shown, a newer target that is refused is reported together with it, not
 * hidden behind it.
 */
export function applyOverride(wanted: Wanted, override: Override | null, journal: Journal): Wanted {
  const { accepted, links } = journal;
  const newest = wanted.kind === 'target' ? wanted.targetVersion : accepted?.targetVersion;
  if (override === null || override.against !== newest) return wanted;
  if (wanted.kind === 'refused' && links[override.relativePath] === override.commitId) return { ...wanted, override };
  const kept = parseKept(override);
  if (!kept.ok) return wanted;
  return { kind: 'target', targetVersion: override.against as TargetVersion, target: kept.target, override };
}

/** A person on this server needs no permit. */
function clearanceFor(wanted: Wanted, view: RolloutView): Clearance {
  if (wanted.kind !== 'target' || wanted.override) return CLEARED;
  return clearanceOf(wanted.targetVersion, view, policyFor(wanted.target, view));
}

/** Judged once per targetVersion, when it is first seen, and remembered across restarts. */
function isLate({ journal, joinedAt }: Circumstances, wanted: Wanted, write: TargetHeard['write']): boolean {
  const { accepted } = journal;
  if (wanted.kind !== 'target' || !write) return false;
  if (accepted?.targetVersion === wanted.targetVersion) return accepted.late ?? false;
  return joinedAt === undefined || joinedAt > write.mzxid;
}

function insteadOf(wanted: Wanted, { base }: RolloutView, journal: Journal, late: boolean): Wanted | null {
  if (wanted.kind !== 'target') return null;
  return baseMeanwhile(wanted, base, journal.links, journal.pendingActivation, late);
}

/** What a suspension does not stop: an override that was given before it, and what follows a swap. */
function mustBeFinished(wanted: Wanted, journal: Journal): boolean {
  if (wanted.kind !== 'target') return false;
  const begun = isBegun(journal, wanted.targetVersion, wanted.target);
  if (begun && isDone(journal)) return false;
  return wanted.override !== undefined || (begun && isHalfway(journal));
}
