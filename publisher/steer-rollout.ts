import { encodeRollout, type Rollout } from '../schemas/rollout.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ensembleNow } from '../zookeeper/recipes/ensemble-time.ts';
import { currentRollout, type SteerParts } from './current-rollout.ts';
import { type Steered, type Steering, steer } from './steer.ts';

/** `passed`: `promote` was meant for a wave that is already over. */
export type SteerResult = Steered | { readonly do: 'passed'; readonly meant: Rollout; readonly rollout: Rollout };

/**
 * Steers the rollout of the target in config, with one write of `rollout` at the version that was read, so that no
 * other person's command is overwritten unseen.
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

/**
 * A credential that may not write the clock may not steer either; the write of `rollout` then fails with the fitting
 * error.
 */
async function timeOf({ session, znodes, clock }: SteerParts): Promise<number> {
  return await ensembleNow(session, znodes.clock).catch((error: unknown) => {
    if (!isCode(error, 'NO_AUTH', 'NO_NODE')) throw error;
    return clock.now();
  });
}

/** `promote` is for the wave that was read first: if two people promote at once, only one wave must pass. */
const isSameWave = (one: Rollout, other: Rollout): boolean =>
  one.deployment === other.deployment && one.wave === other.wave;
