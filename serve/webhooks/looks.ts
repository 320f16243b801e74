import { createBell } from '../../runtime/bell.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';

/**
 * When an installation looks at its origin: at the start, when its bell rings, and every `pollMs` in case a delivery was
 * lost. However often the bell rings, looks begin at least 10 s apart, one after another. One that failed is repeated
 * with growing distance, at the latest with the next poll.
 */
export interface BranchLooks {
  ring(): void;
  /** Resolves once the loop has ended, after `signal` fired. */
  readonly ended: Promise<void>;
}

interface LooksParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly pollMs: number;
  readonly look: () => Promise<unknown>;
}

const LEAST_MS = 10_000;

export function startLooks({ clock, random, log, pollMs, look }: LooksParts, signal: AbortSignal): BranchLooks {
  const bell = createBell(clock);

  async function run(): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      const begun = clock.monotonic();
      try {
        await look();
        failures = 0;
      } catch (error) {
        failures += 1;
        log.warn({ err: classify(error) }, 'the branch could not be published; trying again later');
      }
      const spread = pollMs * (0.9 + 0.2 * random());
      await bell.wait(failures === 0 ? spread : Math.min(spread, LEAST_MS * 2 ** Math.min(failures, 10)), signal);
      const early = LEAST_MS - (clock.monotonic() - begun);
      if (early > 0) await clock.sleep(early, signal).catch(() => {});
    }
  }

  return { ring: bell.ring, ended: run() };
}
