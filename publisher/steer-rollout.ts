import { encodeRollout, type Rollout } from '../schemas/rollout.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ensembleNow } from '../zookeeper/recipes/ensemble-time.ts';
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
  const { session, znodes } = parts;
  let meant: Rollout | null = null;
  let at: number | null = null;
  for (;;) {
    const { rollout, version } = await currentRollout(parts);
    meant ??= rollout;
    if (verb === 'promote' && !isSameWave(meant, rollout)) return { do: 'passed', meant, rollout };
    at ??= await timeOf(parts);
    const steered = steer(verb, rollout, { ...word, at });
    if (steered.do !== 'write') return steered;
    try {
      await session.set(znodes.rollout, encodeRollout(steered.rollout), version);
      return steered;
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION')) throw error;
    }
  }
}

/** Who may not write the clock may not steer either: that write is refused with the words that fit. */
async function timeOf({ session, znodes, clock }: SteerParts): Promise<number> {
  return await ensembleNow(session, znodes.clock).catch((error: unknown) => {
    if (!isCode(error, 'NO_AUTH', 'NO_NODE')) throw error;
    return clock.now();
  });
}

/** `promote` is about the wave that was read first: given by two people at once, it must not pass two. */
const isSameWave = (one: Rollout, other: Rollout): boolean =>
  one.deployment === other.deployment && one.wave === other.wave;
