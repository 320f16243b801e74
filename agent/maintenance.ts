import type { Spare, Store } from '../git/store.ts';
import { isClean } from '../git/worktree/compare.ts';
import { spread } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { classify, isAbort } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { ReleaseSteps } from '../schemas/steps.ts';
import type { CommitId, TargetVersion } from '../schemas/values.ts';
import { type Layout, releaseOf } from './disk/layout.ts';
import { listReleases } from './disk/releases.ts';
import type { Emit } from './events.ts';
import { inspectionAt, type MaintenanceTask, type MaintenanceTimes, taskDue, timesAt } from './maintenance-plan.ts';
import { forget, letGo, unpinStrays } from './room.ts';
import type { Failpoint } from './state/failpoints.ts';
import type { Journal } from './state/journal.ts';
import { type RetentionRule, superfluous } from './state/retention.ts';
import { patternsOf } from './steps/release-file.ts';

interface ChoreParts {
  readonly layout: Layout;
  readonly store: Store;
  readonly spare: Spare;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly retention: () => RetentionRule;
  /** How often the active tree is compared with its commit, ms. */
  readonly verifyMs: number;
  readonly drift: 'observe' | 'heal';
  /** Patterns of what steps may create inside any release: neither drift nor cleaned. */
  readonly generated: readonly string[];
  /** The steps for the release at this path. */
  readonly stepsOf: (release: string) => Promise<ReleaseSteps>;
  readonly failpoint: Failpoint;
  readonly journal: () => Journal;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
  readonly emit: Emit;
}

export interface Maintenance {
  /**
   * Performs at most one due task. Resolves to the time until the next one is due; 0: at once. Never throws.
   * @param fleetDeploys whether other agents are still on their way to the same target: nothing is done meanwhile, for
   * at most a minute.
   */
  next(active: CommitId, settledFor: TargetVersion, fleetDeploys: boolean, signal: AbortSignal): Promise<number>;
  /**
   * The same while something other than the served release is wanted: checks only whether that still matches its
   * commit. The spare, pins and old releases are left to the current deployment.
   * @param drift `observe`: nothing is restored, whatever the settings say.
   */
  watch(served: CommitId, signal: AbortSignal, drift: 'as set' | 'observe'): Promise<number>;
}

const AFTER_FAILURE_MS = 60_000;

/**
 * What a settled agent does in the background: proves the whole active tree, makes the next spare, removes what
 * retention no longer keeps, packs the store. Anything newer interrupts it. No deployment needs it to succeed: without
 * a spare, the next one is only slower.
 */
export function createMaintenance(parts: ChoreParts): Maintenance {
  const { clock } = parts;
  let times: MaintenanceTimes = {
    ...{ active: null, settledFor: null, settledAt: 0, fleetDoneAt: null, inspectedAt: null, restUntil: 0 },
    tidiedAt: clock.monotonic(),
  };

  async function perform(chore: MaintenanceTask, active: CommitId, signal: AbortSignal): Promise<void> {
    const started = clock.monotonic();
    switch (chore.do) {
      case 'inspect':
        await unpinStrays(parts); // A crash may have come between the removal of a release and of its pin.
        await inspect(parts, active, signal, parts.drift);
        parts.emit('undeletable', { paths: await parts.store.undeletable() });
        times = { ...times, inspectedAt: clock.monotonic() };
        break;
      case 'spare':
        if (chore.from) await recycle(parts, chore.from);
        await unpinStrays(parts);
        await parts.spare.write(active, signal);
        await parts.spare.verify(active, signal);
        break;
      case 'remove':
        await letGo(parts, chore.release);
        break;
      case 'tidy':
        await parts.store.tidy(signal);
        parts.emit('undeletable', { paths: await parts.store.undeletable() });
        times = { ...times, tidiedAt: clock.monotonic() };
        break;
    }
    const ms = Math.round(clock.monotonic() - started);
    parts.log.debug({ chore: chore.do, commitId: active, ms }, `${chore.do} done`);
  }

  /** Does what `decide` says. Resolves to the time until there is more to do. */
  async function perhaps(
    active: CommitId,
    settledFor: TargetVersion | null,
    fleetDeploys: boolean,
    signal: AbortSignal,
    decide: (now: number) => Promise<{ readonly inMs: number } | (() => Promise<void>)>,
  ): Promise<number> {
    const now = clock.monotonic();
    times = timesAt(times, { active, settledFor: settledFor ?? times.settledFor, fleetDeploys }, now);
    parts.emit('maintenance', { state: 'begins' });
    try {
      const due = await decide(now);
      if ('inMs' in due) return spread(due.inMs, 0.2, parts.random);
      await due();
      return 0;
    } catch (error) {
      if (signal.aborted && (isAbort(error) || error === signal.reason)) return 0;
      times = { ...times, restUntil: clock.monotonic() + AFTER_FAILURE_MS };
      parts.log.warn({ err: classify(error) }, 'work in the background failed, again later');
      return spread(AFTER_FAILURE_MS, 0.2, parts.random);
    } finally {
      parts.emit('maintenance', { state: 'ends' });
    }
  }

  return {
    next: (active, settledFor, fleetDeploys, signal) =>
      perhaps(active, settledFor, fleetDeploys, signal, async (now) => {
        const [releases, proved] = await Promise.all([listReleases(parts.layout), parts.spare.proved()]);
        const old = superfluous(releases, parts.journal(), parts.retention(), clock.now());
        const due = taskDue(times, { spareIsActive: proved === active, superfluous: old }, parts.verifyMs, now);
        return 'inMs' in due ? due : () => perform(due, active, signal);
      }),
    watch: (served, signal, drift) =>
      perhaps(served, null, false, signal, async (now) => {
        const inMs = inspectionAt(times, parts.verifyMs) - now;
        if (inMs > 0) return { inMs };
        return async () => {
          await inspect(parts, served, signal, drift === 'observe' ? drift : parts.drift);
          times = { ...times, inspectedAt: clock.monotonic() };
        };
      }),
  };
}

async function inspect(
  parts: ChoreParts,
  active: CommitId,
  signal: AbortSignal,
  then: ChoreParts['drift'],
): Promise<void> {
  const names = await driftOf(parts, active, signal);
  if (names.length > 0) {
    parts.log.warn({ commitId: active, drift: names }, 'the active release is not its commit any more');
    if (then === 'heal') await heal(parts, active, signal);
  }
  parts.emit('drift', { names: then === 'heal' && names.length > 0 ? await driftOf(parts, active, signal) : names });
}

async function driftOf(parts: ChoreParts, active: CommitId, signal: AbortSignal): Promise<string[]> {
  const release = releaseOf(parts.layout, active);
  const drift = await parts.store.inspect(release, active, signal, { except: await exceptIn(parts, active) });
  if (isClean(drift, active)) return [];
  const names = [...drift.changed, ...drift.missing, ...drift.strangers];
  return names.length > 0 ? names.slice(0, 20) : ['HEAD'];
}

/**
 * Patterns of files that belong in a release besides its commit, as noted when it was prepared: the files that name
 * them may have been modified since.
 */
export async function exceptIn(
  { layout, journal, generated, stepsOf }: Pick<ChoreParts, 'layout' | 'journal' | 'generated' | 'stepsOf'>,
  active: CommitId,
): Promise<string[]> {
  const noted = journal().releases[active]?.generated;
  const own = noted ?? patternsOf(await stepsOf(releaseOf(layout, active)));
  return [...new Set([...generated, ...own])];
}

async function heal(parts: ChoreParts, active: CommitId, signal: AbortSignal): Promise<void> {
  await parts.store.restore(releaseOf(parts.layout, active), active, signal, await exceptIn(parts, active));
  parts.log.info({ commitId: active }, 'the active release is its commit again');
}

/** An old release becomes the spare. That is cheaper than a new tree, and the grace for its readers is over. */
async function recycle(parts: ChoreParts, release: string): Promise<void> {
  await parts.spare.takeOver(releaseOf(parts.layout, release));
  await forget(parts, release);
  await parts.failpoint('recycle.forgotten');
}
