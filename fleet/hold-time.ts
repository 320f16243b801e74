import type { Brake, Hold } from '../schemas/hold.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ensembleNow } from '../zookeeper/recipes/ensemble-time.ts';
import type { CallOptions, Session } from '../zookeeper/session.ts';

/**
 * What time it is for a hold, ms since the epoch. Only a hold that has an end makes it worth a question: nothing else that
 * a publish checks depends on a clock, and what is written is stamped by the ensemble. An app that an earlier gitfleet
 * made has no `clock`: there this machine's counts, as it did before.
 * @throws ZooKeeperError
 */
export async function holdTime(
  { session, znodes, now }: { readonly session: Session; readonly znodes: Znodes; readonly now: () => number },
  { value }: Brake<Hold | null>,
  call?: CallOptions,
): Promise<number> {
  if (value === null || value.end === null) return now();
  return await ensembleNow(session, znodes.clock, call).catch((error: unknown) => {
    if (!isCode(error, 'NO_NODE')) throw error;
    return now();
  });
}
