import { checkQuarantine } from '../fleet/refusals.ts';
import { FleetError } from '../runtime/errors.ts';
import { targetVersionOf } from '../schemas/target.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import type { WantedTarget } from './apply.ts';

/**
 * The last question before the swap: is this still what config says, and not quarantined? A watch may be late; this
 * read is made now. While ZooKeeper does not answer, nothing is swapped: what is served stays served.
 * @throws FleetError QUARANTINED, NO_LONGER_WANTED.
 */
export async function confirmWanted(
  session: Session,
  znodes: Znodes,
  wanted: WantedTarget,
  signal: AbortSignal,
): Promise<void> {
  await session.connected(signal);
  const [config, quarantine] = await Promise.all([session.get(znodes.config), session.get(znodes.quarantine)]);
  signal.throwIfAborted();
  if (quarantine) checkQuarantine(quarantine.data, wanted.target.commitId);
  // An empty or missing config removes nothing and takes nothing back.
  if (!config || config.data.length === 0 || targetVersionOf(config.stat) === wanted.targetVersion) return;
  throw new FleetError({
    code: 'NO_LONGER_WANTED',
    reason: 'config changed while this release was made ready',
    hint: 'the newer target is on its way to this agent; nothing is to be done',
    next: 'retry',
  });
}
