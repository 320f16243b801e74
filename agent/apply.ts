import type { Spare, Store } from '../git/store.ts';
import type { Clock } from '../runtime/clock.ts';
import { unacknowledgedDrains } from '../schemas/records/unacknowledged.ts';
import type { RepositoryUrl } from '../schemas/values.ts';
import type { SwapStamp } from './coordination/await-instant.ts';
import { type Brought, type Bundles, bring } from './coordination/bundles.ts';
import type { TakeOriginTurn } from './coordination/fetch-lease.ts';
import { type Layout, releaseOf } from './disk/layout.ts';
import { swapLink } from './disk/releases.ts';
import type { Vouch } from './door/vouch.ts';
import type { Action } from './plan.ts';
import { checkKept, type PrepareParts, prepare } from './prepare.ts';
import { drainWhileWanted } from './services/drain-while-wanted.ts';
import type { Rotation } from './services/rotation.ts';
import { activated, intendActivation, noteDrained, noteSwapped, wellActive } from './state/activation.ts';
import type { Failpoint } from './state/failpoints.ts';
import type { Journal } from './state/journal.ts';
import { noteRelease, noteShown } from './state/link-history.ts';
import type { WantedTarget } from './state/wanted.ts';
import { awaitHealth } from './steps/health.ts';
import type { Probe } from './steps/probe.ts';
import { factsOf, runStep, type StepParts } from './steps/run.ts';

interface FetchParts {
  readonly store: Pick<Store, 'fetch' | 'take'>;
  readonly originTurn: TakeOriginTurn;
  readonly vouch: Vouch;
  /** Whether the rollout tries this target on this agent first. */
  readonly isCanary: (wanted: WantedTarget) => boolean;
  readonly bundles: Bundles;
}

interface SwapParts {
  readonly layout: Layout;
  readonly rotation: Pick<Rotation, 'missed'>;
  readonly clock: Clock;
  readonly failpoint: Failpoint;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
}

interface ActivateParts extends StepParts {
  readonly failpoint: Failpoint;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
}

interface HealthParts extends ActivateParts {
  readonly clock: Clock;
  readonly probe: Probe;
}

export interface ApplyParts extends FetchParts, PrepareParts, SwapParts, HealthParts {
  readonly store: Store;
  readonly spare: Spare;
  /**
   * Asks ZooKeeper once more, right before the swap, whether this is still wanted. Where all agents of the wave swap at
   * one instant, it resolves at that instant. @throws FleetError when not.
   */
  readonly recheck: (wanted: WantedTarget, signal: AbortSignal) => Promise<SwapStamp | undefined>;
  readonly rotation: Rotation;
}

/** From pre-activate to the end of activate, only `stop` is obeyed. */
export interface Signals {
  /** Fires when something else is wanted, and together with `stop`. */
  readonly interrupt: AbortSignal;
  /** Fires when this process ends. */
  readonly stop: AbortSignal;
}

/**
 * Performs one action and decides nothing. A swap is never interrupted halfway.
 * @returns of a fetch, where the objects came from.
 */
export async function apply(
  parts: ApplyParts,
  action: Action,
  wanted: WantedTarget,
  { interrupt, stop }: Signals,
): Promise<Brought | undefined> {
  const { spare, layout } = parts;
  const { commitId } = wanted.target;
  switch (action) {
    case 'fetch':
      return await fetch(parts, wanted, interrupt);
    case 'vouch':
      await vouch(parts, wanted, interrupt);
      return undefined;
    case 'write':
      await spare.write(commitId, interrupt);
      await spare.verify(commitId, interrupt);
      return undefined;
    case 'keep':
      await parts.remember((journal) => noteRelease(journal, commitId, parts.clock.now()));
      await parts.failpoint('keep.remembered');
      await spare.moveTo(releaseOf(layout, commitId));
      return undefined;
    case 'check':
      await checkKept(parts, commitId, interrupt);
      return undefined;
    case 'prepare':
      await prepare(parts, wanted, interrupt);
      return undefined;
    case 'swap':
      await swapIn(parts, wanted, await drain(parts, wanted, interrupt), stop);
      return undefined;
    case 'activate':
      await activate(parts, wanted, stop);
      return undefined;
    case 'health':
      await health(parts, wanted, interrupt);
      return undefined;
    case 'settle':
      await parts.remember((journal) => wellActive(journal, wanted.target));
      return undefined;
  }
}

/** A person on this server needs no permit from ZooKeeper, which may be what is broken. */
async function drain(
  { rotation, recheck, clock, ...parts }: ApplyParts,
  wanted: WantedTarget,
  interrupt: AbortSignal,
): Promise<SwapStamp | undefined> {
  const facts = factsOf(parts, wanted);
  if (wanted.override) {
    await rotation.drained(facts, interrupt);
    return undefined;
  }
  const wantedStill = async (signal: AbortSignal) => void (await recheck(wanted, signal));
  await drainWhileWanted({ rotation, recheck: wantedStill, clock }, facts, interrupt);
  return await recheck(wanted, interrupt);
}

async function fetch(parts: FetchParts, wanted: WantedTarget, signal: AbortSignal): Promise<Brought> {
  const { url, commitId, gitfleet } = wanted.target;
  const tips = parts.vouch.tips(wanted.target, parts.isCanary(wanted));
  const ask = () => parts.store.fetch({ url, commitId, ref: gitfleet?.ref, tips }, signal);
  return await bring(parts, wanted, () => inTurn(parts, url, signal, ask), signal);
}

/** Asks the origin only if the fetch did not already give the answer. */
async function vouch(parts: FetchParts, wanted: WantedTarget, signal: AbortSignal): Promise<void> {
  const { target } = wanted;
  const how = {
    isCanary: parts.isCanary(wanted),
    inTurn: <T>(ask: () => Promise<T>) => inTurn(parts, target.url, signal, ask),
  };
  await parts.vouch.vouch(target, how, signal);
}

async function inTurn<T>(
  { originTurn }: Pick<FetchParts, 'originTurn'>,
  url: RepositoryUrl | null,
  signal: AbortSignal,
  ask: () => Promise<T>,
): Promise<T> {
  const lease = url && (await originTurn(url, signal));
  try {
    return await ask();
  } finally {
    void lease?.release();
  }
}

async function swapIn(
  parts: SwapParts & StepParts,
  wanted: WantedTarget,
  stamp: SwapStamp | undefined,
  stop: AbortSignal,
): Promise<void> {
  await runStep(parts, 'pre-activate', wanted, stop);
  await parts.failpoint('pre-activate.ended');
  await swap(parts, wanted, stamp);
}

/**
 * The only visible step. Intent comes first: `activation: wanted` is durable before the link moves, so that the
 * activate command still runs after a crash right after the rename.
 */
async function swap(parts: SwapParts, { target }: WantedTarget, stamp?: SwapStamp): Promise<void> {
  const { commitId, relativePath } = target;
  const drains = unacknowledgedDrains(parts.rotation.missed());
  await parts.remember((journal) =>
    intendActivation(noteRelease(noteDrained(journal, drains), commitId, parts.clock.now()), target),
  );
  await parts.failpoint('swap.intended');
  await swapLink(parts.layout, relativePath, commitId, parts.failpoint);
  const swapped = stamp?.();
  await parts.remember((journal) =>
    noteSwapped(noteShown(journal, relativePath, commitId, parts.clock.now()), swapped),
  );
  await parts.failpoint('swap.remembered');
}

async function activate(parts: ActivateParts, wanted: WantedTarget, stop: AbortSignal): Promise<void> {
  const steps = await parts.stepsOf(releaseOf(parts.layout, wanted.target.commitId));
  if (wanted.override) await runStep(parts, 'on-rollback', wanted, stop);
  await runStep(parts, 'activate', wanted, stop);
  await parts.failpoint('activate.ended');
  // A person who goes back on this server judges the health of the release themselves.
  if (!steps.health || wanted.override) return await remembered(parts, wanted);
  await parts.remember(activated);
  await parts.failpoint('activate.remembered');
}

async function health(parts: HealthParts, wanted: WantedTarget, signal: AbortSignal): Promise<void> {
  const { health: rule } = await parts.stepsOf(releaseOf(parts.layout, wanted.target.commitId));
  if (rule) await awaitHealth(rule, factsOf(parts, wanted), parts.probe, parts.clock, signal);
  await parts.failpoint('health.ended');
  await remembered(parts, wanted);
}

async function remembered(parts: ActivateParts, wanted: WantedTarget): Promise<void> {
  await parts.remember((journal) => wellActive(journal, wanted.target));
  await parts.failpoint('settle.remembered');
}
