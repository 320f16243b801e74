import { encodeRollout, type Rollout } from '../schemas/rollout.ts';
import { isCode } from '../zookeeper/errors.ts';
import { currentRollout, type SteerParts } from './current-rollout.ts';
import { type Steered, type Steering, steer } from './steer.ts';

/** `passed`: `promote` was meant for a wave that is over by now. */
export type SteerResult = Steered | { readonly do: 'passed'; readonly meant: Rollout; readonly rollout: Rollout };

/**
 * Steers the rollout of what config holds: one write of `rollout` that names the version it was decided on, so that no
 * word of another person is overwritten unseen.
 * @throws FleetError ROLLOUT_NEWER, NO_COORDINATOR, NOTHING_PUBLISHED.
 */
export async function steerRollout(
  parts: SteerParts,
  verb: Steering,
  word: { readonly by: string; readonly reason: string },
): Promise<SteerResult> {
  const { session, znodes, clock } = parts;
  let meant: Rollout | null = null;
  for (;;) {
    const { rollout, version } = await currentRollout(parts);
    meant ??= rollout;
    if (verb === 'promote' && !isSameWave(meant, rollout)) return { do: 'passed', meant, rollout };
    const steered = steer(verb, rollout, { ...word, at: clock.now() });
    if (steered.do !== 'write') return steered;
    try {
      await session.set(znodes.rollout, encodeRollout(steered.rollout), version);
      return steered;
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION')) throw error;
    }
  }
}

/** `promote` is about the wave that was read first: given by two people at once, it must not pass two. */
const isSameWave = (one: Rollout, other: Rollout): boolean =>
  one.deployment === other.deployment && one.wave === other.wave;
