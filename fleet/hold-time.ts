import type { Brake, Hold } from '../schemas/hold.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ensembleNow } from '../zookeeper/recipes/ensemble-time.ts';
import type { CallOptions, Session } from '../zookeeper/session.ts';

/**
 * What time it is for a hold, ms since the epoch. Only a hold that has an end makes it worth a question: nothing else that
 * is checked depends on a clock, and a record is stamped by the ensemble. An app that an earlier gitfleet made has no
 * `clock`: there this machine's counts, as it did before.
 * @throws ZooKeeperError
 */
export async function holdTime(parts: TimeParts, { value }: Brake<Hold | null>, call?: CallOptions): Promise<number> {
  return value === null || value.end === null ? parts.now() : await timeOrOwn(parts, call);
}

interface TimeParts {
  readonly session: Session;
  readonly znodes: Znodes;
  /** This machine's clock. */
  readonly now: () => number;
}

/** For what is written with a time of its own. Who may not ask must still be able to go back. @throws ZooKeeperError */
export async function timeOrOwn({ session, znodes, now }: TimeParts, call?: CallOptions): Promise<number> {
  return await ensembleNow(session, znodes.clock, call).catch((error: unknown) => {
    if (!isCode(error, 'NO_NODE', 'NO_AUTH')) throw error;
    return now();
  });
}
