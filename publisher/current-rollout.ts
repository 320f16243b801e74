import type { Clock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/safe-text.ts';
import type { Deployment } from '../schemas/deployment.ts';
import { parseRollout, type Rollout, type RolloutState, unknownState } from '../schemas/rollout.ts';
import { targetVersionOf } from '../schemas/target.ts';
import { parseCandidate, type Znodes } from '../schemas/znodes.ts';
import { childPath } from '../zookeeper/paths.ts';
import { inOrder } from '../zookeeper/recipes/contention.ts';
import type { Session } from '../zookeeper/session.ts';
import type { Ending } from './verdict.ts';

/** What the coordinator says about one deployment. */
export interface RolloutStatus {
  /** This deployment's rollout in waves, as last recorded. */
  readonly rollout: Rollout | null;
  /** It is in a state that only a newer version knows: that version judges it, not this one. */
  readonly isUnknown: boolean;
  /** There is a coordinator, or there will be in a moment. */
  readonly isLed: boolean;
}

export async function readRolloutStatus(
  session: Session,
  znodes: Znodes,
  targetVersion: string,
): Promise<RolloutStatus> {
  const [node, candidates] = await Promise.all([session.get(znodes.rollout), session.children(znodes.election)]);
  return { ...rolloutIn(node?.data ?? Buffer.alloc(0), targetVersion), isLed: (candidates ?? []).length > 0 };
}

/** What the rollout znode holds about one deployment. */
export function rolloutIn(data: Buffer, targetVersion: string): Omit<RolloutStatus, 'isLed'> {
  const rollout = parseRollout(data);
  return {
    rollout: rollout?.permits && rollout.targetVersion === targetVersion ? rollout : null,
    isUnknown: rollout === null && unknownState(data)?.targetVersion === targetVersion,
  };
}

/** Who leads: the first candidate. Null: there is none, or it names itself by no agentId. */
export async function readCoordinator(session: Session, { election }: Znodes): Promise<string | null> {
  const [first] = inOrder((await session.children(election)) ?? [], 'candidate-');
  const node = first === undefined ? null : await session.get(childPath(election, first));
  return node && parseCandidate(node.data);
}

/** The rollout whose state is the verdict: while there is a leader, or if the state is final. */
export const ruledBy = ({ rollout, isLed }: RolloutStatus): Rollout | null =>
  rollout && (isLed || ENDING_OF_STATE[rollout.state]) ? rollout : null;

/** How a rollout ends for the waiting command; absent: it continues. */
export const ENDING_OF_STATE: Partial<Record<RolloutState, Ending>> = {
  proven: 'converged',
  failed: 'failed',
  halted: 'halted',
  aborted: 'aborted',
  'rolled-back': 'rolled-back',
};

/** What decides which commands to suggest. */
export interface NextCommands {
  /** Where `gitfleet rollback` would go; null: nowhere, or unknown. */
  readonly wayBack: Deployment | null;
  /** A retry needs a coordinator, and is refused without one. */
  readonly isLed: boolean;
}

export interface SteerParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly clock: Clock;
  /** How long to wait for a coordinator that has not begun yet, ms. */
  readonly patienceMs?: number;
}

interface CurrentRollout {
  readonly rollout: Rollout;
  readonly version: number;
}

/** A leader is elected and begins within a second or two. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 100;

/** The rollout of the target in config. Waits for a coordinator that has not begun it yet. */
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
