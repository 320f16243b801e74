import { encodePolicy, type Policy, parsePolicy } from '../schemas/policy.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { Session } from '../zookeeper/session.ts';
import { appMissing } from './shared-state.ts';
import { createTries } from './tries.ts';

/** The app's policy as it is now. @throws FleetError APP_MISSING */
export async function readPolicy(session: Session, znodes: Znodes): Promise<ReturnType<typeof parsePolicy>> {
  const node = await session.get(znodes.policy);
  if (!node) throw appMissing(znodes.app);
  return parsePolicy(node.data);
}

/**
 * Sets it, or takes it away with null, for rollouts that begin from now on. Resolves to whether anything was different.
 * @throws FleetError APP_MISSING
 */
export async function setPolicy(session: Session, znodes: Znodes, policy: Policy | null): Promise<boolean> {
  const data = encodePolicy(policy);
  const tries = createTries();
  for (;;) {
    const node = await session.get(znodes.policy);
    if (!node) throw appMissing(znodes.app);
    if (node.data.equals(data)) return false;
    try {
      await session.set(znodes.policy, data, node.stat.version);
      return true;
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION')) throw error;
      tries.moved();
    }
  }
}
