import { spread } from '../../runtime/backoff.ts';
import { createBell } from '../../runtime/bell.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Session } from '../../zookeeper/session.ts';

interface WatchEnsembleParts {
  readonly session: Pick<Session, 'onState'>;
  /** Asks the hosts why they are not one ensemble; null: they are, or it is not known. Never rejects. */
  readonly look: () => Promise<string | null>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** A fleet asks rarely, and after an outage not all agents at once. */
const EVERY_MS = 600_000;
const WITHIN_MS = 10_000;
/** An election of the ensemble's leader takes less; only a lasting state is logged. */
const LASTS_MS = 15_000;

/**
 * Checks regularly, and after each reconnect, whether the hosts of this agent are one ensemble: a server that stands
 * alone among several serves other data, and it is chance which of them an agent connects to. Logs when that begins and
 * when it ends. It does not choose a server, nor end a session.
 */
export function watchEnsemble({ session, look, clock, random, log }: WatchEnsembleParts): {
  /** Why the hosts are not one ensemble; null: they are, or it is not known. */
  readonly trouble: () => string | null;
  /** Runs until `signal` fires. Never throws. */
  follow(signal: AbortSignal): Promise<void>;
} {
  let told: string | null = null;

  function tell(trouble: string | null): void {
    if (trouble === told) return;
    if (trouble === null) log.info('the ZooKeeper servers are one ensemble again');
    else log.warn({ trouble }, 'the ZooKeeper servers are not one ensemble: gitfleet zk status');
    told = trouble;
  }

  async function lasts(trouble: string, signal: AbortSignal): Promise<boolean> {
    if (trouble === told) return true;
    await clock.sleep(LASTS_MS, signal).catch(() => {});
    return !signal.aborted && (await look()) === trouble;
  }

  return {
    trouble: () => told,
    async follow(signal) {
      const bell = createBell(clock);
      const off = session.onState((state) => {
        if (state === 'connected') bell.ring();
      });
      while (!signal.aborted) {
        await clock.sleep(Math.round(random() * WITHIN_MS), signal).catch(() => {});
        if (signal.aborted) break;
        const trouble = await look();
        if (trouble === null || (await lasts(trouble, signal))) tell(trouble);
        await bell.wait(spread(EVERY_MS, 0.2, random), signal);
      }
      off();
    },
  };
}
