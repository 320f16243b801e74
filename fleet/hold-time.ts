import type { Brake, Hold } from '../schemas/hold.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ensembleNow } from '../zookeeper/recipes/ensemble-time.ts';
import type { CallOptions, Session } from '../zookeeper/session.ts';

/**
 * The time by which to judge a hold, ms since the epoch. The ensemble is queried only if the hold has an end: no other
 * check depends on a clock, and the ensemble itself stamps records. An app of an earlier gitfleet has no `clock`; there
 * this machine's clock counts, as before.
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

/**
 * For content that includes a time. Without the right to write `clock`, this machine's time counts, because going back
 * must always be possible. @throws ZooKeeperError
 */
export async function timeOrOwn({ session, znodes, now }: TimeParts, call?: CallOptions): Promise<number> {
  return await ensembleNow(session, znodes.clock, call).catch((error: unknown) => {
    if (!isCode(error, 'NO_NODE', 'NO_AUTH')) throw error;
    return now();
  });
}
