import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { howItEnded, type RunResult } from '../../runtime/process.ts';
import type { ConsumerMemory, Unacknowledged } from '../../services/drain.ts';
import { awaitConsumers, type DrainRule } from '../../services/drain.ts';
import type { Looker } from '../../services/look-after.ts';
import type { Registration } from '../../services/registration.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { StepFacts } from '../steps/runner.ts';

/**
 * Takes the services of this server out of their lists around an activation, and puts them back. The loop says when
 * (reconcile.ts). What was taken out for a swap comes back at the next pass that neither activates nor checks, whatever
 * happened in between: an older target, a failure, a pause. Guarantee: we leave no service out while its process is
 * well and nothing is being activated, and none leaves below its floor for a new release.
 */
export interface Rotation {
  /**
   * Takes out all of them or none. Resolves to what the floor waits for; null: all are out, or there are none.
   * @throws ZooKeeperError, or the signal's reason.
   */
  leave(signal: AbortSignal): Promise<string | null>;
  /** After `leave`: waits until no consumer sends requests, at most as long as each service's drain allows. */
  drained(facts: StepFacts, signal: AbortSignal): Promise<void>;
  /**
   * Leaves and drains before a swap back, and for a target that the link shows already. Must not depend on others: its
   * time is limited, also without ZooKeeper. Does nothing if all services are out.
   */
  leaveToReturn(facts: StepFacts, signal: AbortSignal): Promise<void>;
  /** The newest drain of each service, if a consumer did not acknowledge it. */
  missed(): readonly DrainTold[];
  /** Lets them register again, each after a new look at it succeeded. */
  rejoin(): void;
}

/** For a server without services. */
export const NO_ROTATION: Rotation = {
  leave: async () => null,
  drained: async () => {},
  leaveToReturn: async () => {},
  missed: () => [],
  rejoin: () => {},
};

/** One service of this server. */
export interface Served {
  readonly service: string;
  readonly registration: Registration;
  readonly looker: Pick<Looker, 'startOver'>;
  readonly memory: ConsumerMemory;
  readonly drain: DrainRule & { readonly command?: readonly string[] | undefined };
}

/** The result of a drain, for log and metrics. */
export interface DrainTold {
  readonly service: string;
  readonly acknowledged: number;
  readonly unacknowledged: readonly Unacknowledged[];
  readonly ms: number;
}

/** Runs the command of a drain, with the facts that a step gets. */
export type RunCommand = (
  argv: readonly string[],
  timeoutMs: number,
  facts: StepFacts,
  signal: AbortSignal,
) => Promise<RunResult>;

interface RotationParts {
  readonly session: Session;
  readonly served: readonly Served[];
  readonly runCommand: RunCommand;
  readonly told: (drain: DrainTold) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long the way back waits for the floor. */
const RETURN_FLOOR_MS = 60_000;
const RETURN_SESSION_MS = 2_000;
const AGAIN_MS = 500;

export function createRotation(parts: RotationParts): Rotation {
  const { clock, log } = parts;
  /** The zxid of each service's deletion, which consumers have to reach. */
  const out = new Map<Served, bigint | null>();
  const drainedOnce = new Set<Served>();
  const newest = new Map<Served, DrainTold>();

  function rejoin(): void {
    for (const served of out.keys()) {
      served.looker.startOver();
      served.registration.join();
    }
    out.clear();
    drainedOnce.clear();
  }

  async function leave(signal: AbortSignal, floor = true): Promise<string | null> {
    for (const served of parts.served) {
      if (out.has(served)) continue;
      const claim = await served.registration.leave(signal, floor);
      if (claim.kind === 'wait') {
        rejoin();
        return `the floor of ${served.service}: ${claim.words}`;
      }
      out.set(served, claim.zxid);
      newest.delete(served);
      if (claim.alone) log.warn({ service: served.service }, 'no other instance is known: the service is interrupted');
    }
    return null;
  }

  async function drained(facts: StepFacts, signal: AbortSignal): Promise<void> {
    await Promise.all(
      [...out].map(async ([served, zxid]) => {
        if (drainedOnce.has(served)) return;
        const { service, memory, drain } = served;
        const [told] = await Promise.all([
          awaitConsumers({ session: parts.session, service, memory, clock }, zxid, drain, signal),
          runDrainCommand(parts, served, facts, signal),
        ]);
        drainedOnce.add(served);
        newest.set(served, { service, ...told });
        if (zxid !== null) parts.told({ service, ...told });
      }),
    );
  }

  async function leaveToReturn(facts: StepFacts, signal: AbortSignal): Promise<void> {
    if (parts.served.every((each) => drainedOnce.has(each))) return;
    const late = new AbortController();
    const cancel = clock.after(RETURN_SESSION_MS, () =>
      late.abort(new DOMException('ZooKeeper is away', 'AbortError')),
    );
    try {
      await parts.session.connected(AbortSignal.any([signal, late.signal]));
      const until = clock.monotonic() + RETURN_FLOOR_MS;
      while ((await leave(signal, clock.monotonic() < until)) !== null) await clock.sleep(AGAIN_MS, signal);
      await drained(facts, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ reason: String(error) }, 'going back without leaving the services first');
    } finally {
      cancel();
    }
  }

  const missed = () => [...newest.values()].filter(({ unacknowledged }) => unacknowledged.length > 0);
  return { leave, drained, leaveToReturn, missed, rejoin };
}

/** Ends when no request is in flight. A command that fails or takes too long does not stop the activation. */
async function runDrainCommand(
  { runCommand, log }: RotationParts,
  { service, drain }: Served,
  facts: StepFacts,
  signal: AbortSignal,
): Promise<void> {
  if (!drain.command) return;
  const result = await runCommand(drain.command, drain.atMost, facts, signal);
  if (result.ended === 'exit' && result.exitCode === 0) return;
  signal.throwIfAborted();
  log.warn({ service, reason: howItEnded(result, drain.atMost) }, 'the drain command did not end well');
}
