import type { Access } from '../../fleet/access.ts';
import { forgetOldestChanges } from '../../fleet/flags/change-flags.ts';
import { settlePlain } from '../../fleet/flags/plain-flags.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { createRetryLoop } from '../../runtime/retry-loop.ts';
import { type Flags, flagChangeName } from '../../schemas/flags.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';

interface AdoptParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * The pause between two reads of the directory, and so how long a change by another program waits while ZooKeeper
 * answers.
 */
const LOOK_MS = 1_000;

/**
 * While this agent leads and the app has a directory of plain flags, what other programs set there becomes a change of
 * the flag. It reads the directory regularly instead of watching each node, and only the leader does. Ends with
 * `signal`; never throws.
 */
export async function adoptPlainFlags(parts: AdoptParts, flags: () => Flags, signal: AbortSignal): Promise<void> {
  const { clock, random, log } = parts;
  const retryLoop = createRetryLoop({ clock, random, log });
  const adopting = { ...parts, now: () => clock.now() };
  while (!signal.aborted) {
    let pause = LOOK_MS;
    try {
      if (flags().metadata.plain !== undefined) {
        const { adopted, left } = await settlePlain(adopting);
        for (const { number, flag } of adopted) {
          log.info({ flag, change: flagChangeName(number) }, 'took over what another program set');
        }
        // A program that switches a flag all the time makes a record each time.
        if (adopted.length > 0) await forgetOldestChanges(adopting);
        for (const { flag, reason } of left) retryLoop.failed(reason, { flag }, 'a plain flag stays as it is');
        if (left.length === 0) retryLoop.wentWell();
      }
    } catch (error) {
      pause = retryLoop.failed(error, {}, 'cannot take over plain flags, retrying');
    }
    await clock.sleep(pause, signal).catch(() => {});
  }
}
