import type { Clock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/safe-text.ts';
import { deploymentName } from '../schemas/deployment.ts';
import { encodeRollout, parseRollout, type Rollout, unknownState } from '../schemas/rollout.ts';
import { targetVersionOf } from '../schemas/target.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { Session } from '../zookeeper/session.ts';
import { waveName } from './screens/wave-words.ts';
import { type Steered, type Steering, steer } from './steer.ts';

export interface SteerParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly clock: Clock;
  /** How long a coordinator that just begins is waited for, ms. */
  readonly patienceMs?: number;
}

interface CurrentRollout {
  readonly rollout: Rollout;
  readonly version: number;
}

/** A leader is elected and has begun within a second or two. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 100;

/**
 * Says it: one write of `rollout` that names the version it was decided on, so that nobody's word is overwritten unseen.
 * @throws FleetError ROLLOUT_OVER, ROLLOUT_NEWER, NO_COORDINATOR, NOTHING_PUBLISHED.
 */
export async function steerRollout(
  parts: SteerParts,
  verb: Steering,
  word: { readonly by: string; readonly reason: string },
): Promise<Exclude<Steered, { do: 'refuse' }> & { readonly rollout: Rollout }> {
  const { session, znodes, clock } = parts;
  let meant: Rollout | null = null;
  for (;;) {
    const { rollout, version } = await currentRollout(parts);
    meant ??= rollout;
    if (verb === 'promote' && !isSameWave(meant, rollout)) return { ...passed(meant), rollout };
    const steered = steer(verb, rollout, { ...word, at: clock.now() });
    if (steered.do === 'refuse') throw new FleetError(steered.failure);
    if (steered.do === 'nothing') return { ...steered, rollout };
    const data = encodeRollout(steered.rollout);
    try {
      await session.set(znodes.rollout, data, version);
      return steered;
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION')) throw error;
    }
  }
}

/** `promote` is about the wave that was looked at first: said by two people at once it must not pass two. */
const isSameWave = (one: Rollout, other: Rollout): boolean =>
  one.deployment === other.deployment && one.wave === other.wave;

const passed = (rollout: Rollout): Extract<Steered, { do: 'nothing' }> => ({
  do: 'nothing',
  said: `${deploymentName(rollout.deployment)} has gone on since: ${waveName(rollout)} is over`,
});

/** The rollout of what config holds; waits for a coordinator that has not begun it yet. */
export async function currentRollout({ session, znodes, clock, patienceMs }: SteerParts): Promise<CurrentRollout> {
  const until = clock.monotonic() + (patienceMs ?? PATIENCE_MS);
  for (;;) {
    const [config, node] = await Promise.all([session.get(znodes.config), session.get(znodes.rollout)]);
    if (!config || config.data.length === 0) throw NOTHING_PUBLISHED();
    const rollout = node && parseRollout(node.data);
    if (node && rollout?.targetVersion === targetVersionOf(config.stat)) return { rollout, version: node.stat.version };
    const foreign = node && unknownState(node.data);
    if (foreign?.targetVersion === targetVersionOf(config.stat)) throw ROLLOUT_NEWER(foreign.state);
    if (clock.monotonic() >= until) throw NO_COORDINATOR();
    await clock.sleep(LOOK_MS);
  }
}

export const NOTHING_PUBLISHED = (): FleetError =>
  FleetError.of('NOTHING_PUBLISHED', 'nothing was published yet, so nothing rolls out');

const ROLLOUT_NEWER = (state: string): FleetError =>
  FleetError.of('ROLLOUT_NEWER', `the rollout is in the state ${clean(state, 40)}, which this version does not know`);

const NO_COORDINATOR = (): FleetError =>
  FleetError.of(
    'NO_COORDINATOR',
    'no coordinator has taken up what was published: no agent that may lead rollouts is online',
  );
