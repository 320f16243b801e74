import { newestProven, readDeployment, readHistory } from '../fleet/history.ts';
import { isPublished, parseWithTarget, readSharedState, type SharedState } from '../fleet/shared-state.ts';
import type { Deployment } from '../schemas/deployment.ts';
import { parsePolicy } from '../schemas/policy.ts';
import { type Rollout, unknownState } from '../schemas/rollout.ts';
import { coreOf } from '../schemas/target.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import type { AgentSeen, Observed, WantedDeployment } from './observed.ts';
import type { SetBackWatch } from './set-back.ts';

/** The result of one reading of the shared state, with the versions that an action planned from it names. */
export interface Observation {
  readonly picture: Observed;
  readonly state: SharedState;
  readonly rollout: { readonly version: number; readonly data: Buffer };
}

/**
 * Reads what the plan needs.
 * @param agents returns the agents, as fresh as the current wave needs them.
 * @param now ms since the epoch by the clock of the ensemble.
 * @param watched how long the leader has watched at that time, ms.
 * @param setBack knows whether the ensemble lost writes while this process watched, and config dates from before that.
 * @throws FleetError APP_MISSING.
 */
export async function observe(
  session: Session,
  znodes: Znodes,
  agents: (rollout: Rollout | null) => Promise<readonly AgentSeen[]>,
  now: () => number,
  watched: (now: number) => number,
  setBack: Pick<SetBackWatch, 'look' | 'newest' | 'note'>,
): Promise<Observation> {
  const before = setBack.newest;
  const [state, rolloutNode, policyNode] = await Promise.all([
    readSharedState(session, znodes),
    session.get(znodes.rollout),
    session.get(znodes.policy),
  ]);
  const rollout = rolloutNode && parseWithTarget(rolloutNode.data);
  if (rollout) setBack.note(before, { targetVersion: rollout.targetVersion, mzxid: rolloutNode.stat.mzxid });
  const { targetVersion } = state.config;
  const moved = rollout !== null && rollout.targetVersion !== targetVersion;
  const { quarantine } = state;
  const foreign = rolloutNode && unknownState(rolloutNode.data);
  const isLost = quarantine.value.some(({ commitId }) => commitId === rollout?.base?.commitId);
  const agentsSeen = isOver(rollout, moved) ? [] : await agents(rollout);
  const at = now();
  const picture: Observed = {
    wanted: wantedOf(state),
    policy: parsePolicy(policyNode?.data ?? Buffer.alloc(0)),
    rollout,
    unknownState: foreign?.targetVersion === targetVersion ? foreign.state : null,
    left: moved ? await readDeployment(session, znodes, rollout.deployment) : null,
    proven: rollout && !moved && !isLost ? null : await provenBefore(session, znodes, state),
    quarantine,
    agents: agentsSeen,
    setBack: setBack.look(targetVersion),
    now: at,
    watched: watched(at),
  };
  return {
    picture,
    state,
    rollout: { version: rolloutNode?.stat.version ?? 0, data: rolloutNode?.data ?? Buffer.alloc(0) },
  };
}

/** While no action can follow, no agent needs to be read. */
const isOver = (rollout: Rollout | null, moved: boolean): boolean =>
  !moved && rollout !== null && ['proven', 'rolled-back', 'paused'].includes(rollout.state);

function wantedOf(state: SharedState): WantedDeployment | null {
  const { config } = state;
  if (!isPublished(config)) return null;
  const { target } = config;
  return {
    targetVersion: config.targetVersion,
    target: target && coreOf(target),
    policy: target?.gitfleet?.policy ?? null,
    record: state.current,
  };
}

/** Proven by the judgement of a coordinator or of a publisher. */
async function provenBefore(session: Session, znodes: Znodes, state: SharedState): Promise<Deployment | null> {
  const history = await readHistory(session, znodes, Number.POSITIVE_INFINITY);
  return newestProven(history, state.quarantine.value, ({ number }) => number !== state.current?.number) ?? null;
}
