/** The past that the choice of a task depends on, on the monotonic clock. */
export interface MaintenanceTimes {
  readonly active: string | null;
  /** The targetVersion that it was last settled for. A new one is inspected again, even if the commit is the same. */
  readonly settledFor: string | null;
  /** When the active commit settled. */
  readonly settledAt: number;
  /** Since when the rest of the fleet is done with this deployment, as far as this agent knows. Null: it is not. */
  readonly fleetDoneAt: number | null;
  readonly inspectedAt: number | null;
  readonly tidiedAt: number;
  /** After a failure, nothing is tried before this time. */
  readonly restUntil: number;
}

interface ChoreState {
  /** Whether the spare is proved to be the active commit, so that the next difference is written into it. */
  readonly spareIsActive: boolean;
  /** Releases that retention no longer keeps, oldest first. */
  readonly superfluous: readonly string[];
}

export type MaintenanceTask =
  | { readonly do: 'inspect' }
  /** `from`: an old release that becomes the spare. */
  | { readonly do: 'spare'; readonly from: string | null }
  | { readonly do: 'remove'; readonly release: string }
  | { readonly do: 'tidy' };

/**
 * Fifty servers that share a disk, a core or an origin finish their deployments first; their spares are made
 * afterwards. A rollout may take hours: then the next deployment must not find every server without its spare.
 */
const AFTER_SETTLING_MS = 1_500;
const FOR_THE_FLEET_MS = 60_000;
const TIDY_MS = 3_600_000;

/** The next task, the most useful one first, or the time until there is one. Pure. */
export function taskDue(
  times: MaintenanceTimes,
  state: ChoreState,
  verifyMs: number,
  now: number,
): MaintenanceTask | { readonly inMs: number } {
  const start = startOf(times);
  if (now < start) return { inMs: start - now };
  // Make room first. Of the releases to remove, the last one becomes the spare.
  const [release, more] = state.superfluous;
  if (release !== undefined && more !== undefined) return { do: 'remove', release };
  if (!state.spareIsActive) return { do: 'spare', from: release ?? null };
  const inspectAt = inspectionAt(times, verifyMs);
  if (now >= inspectAt) return { do: 'inspect' };
  if (release !== undefined) return { do: 'remove', release };
  const tidyAt = times.tidiedAt + TIDY_MS;
  if (now >= tidyAt) return { do: 'tidy' };
  return { inMs: Math.min(inspectAt, tidyAt) - now };
}

/** When the active tree is to be compared with its commit next. */
export function inspectionAt(times: MaintenanceTimes, verifyMs: number): number {
  const start = startOf(times);
  return times.inspectedAt === null ? start : Math.max(start, times.inspectedAt + verifyMs);
}

function startOf({ settledAt, fleetDoneAt, restUntil }: MaintenanceTimes): number {
  const atLatest = settledAt + FOR_THE_FLEET_MS;
  return Math.max(Math.min(fleetDoneAt ?? atLatest, atLatest) + AFTER_SETTLING_MS, restUntil);
}

/** The times once this commit is seen settled, and the fleet deploying or not. Pure. */
export function timesAt(
  times: MaintenanceTimes,
  { active, settledFor, fleetDeploys }: Seen,
  now: number,
): MaintenanceTimes {
  const isSame = times.active === active && times.settledFor === settledFor;
  const since = isSame ? times : { ...times, active, settledFor, settledAt: now, inspectedAt: null, restUntil: 0 };
  const fleetDoneAt = fleetDeploys ? null : ((isSame ? times.fleetDoneAt : null) ?? now);
  return { ...since, fleetDoneAt };
}

interface Seen {
  readonly active: string;
  readonly settledFor: string | null;
  readonly fleetDeploys: boolean;
}
