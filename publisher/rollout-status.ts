import { parseRollout, type Rollout, type RolloutState } from '../schemas/rollout.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import type { Ending } from './follow.ts';

/** What the coordinator says about one deployment. */
export interface RolloutStatus {
  /** The last record of this deployment's rollout in waves. */
  readonly rollout: Rollout | null;
  /** Somebody leads, or will in a moment. */
  readonly isLed: boolean;
}

export async function readRolloutStatus(
  session: Session,
  znodes: Znodes,
  targetVersion: string,
): Promise<RolloutStatus> {
  const [node, candidates] = await Promise.all([session.get(znodes.rollout), session.children(znodes.election)]);
  const rollout = node && parseRollout(node.data);
  const isLed = (candidates ?? []).length > 0;
  return { rollout: rollout?.permits && rollout.targetVersion === targetVersion ? rollout : null, isLed };
}

/** The rollout whose state is the verdict: the leader's word, while there is one or it is the last. */
export const ruledBy = ({ rollout, isLed }: RolloutStatus): Rollout | null =>
  rollout && (isLed || BY_STATE[rollout.state]) ? rollout : null;

/** How a rollout ends for whoever waits; absent: it goes on. */
export const BY_STATE: Partial<Record<RolloutState, Ending>> = {
  proven: 'converged',
  failed: 'failed',
  halted: 'halted',
  aborted: 'aborted',
  'rolled-back': 'rolled-back',
};
