import { nextWave, type WaveAgent } from '../../fleet/waves.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { Rollout } from '../../schemas/rollout.ts';
import type { RolloutShape } from '../api/parts.ts';
import type { AgentRow } from '../api/shapes.ts';
import { saidOf } from './records.ts';
import type { Seen } from './seen.ts';

const MAX_NAME = 200;
const MAX_TEXT = 500;

/** The rollout of the current target; null: there is none. One in a state of a newer version is shown as unknown. */
export function rolloutOf(
  { config, rollout: { rollout, foreign } }: Pick<Seen, 'config' | 'rollout'>,
  rows: Iterable<AgentRow>,
): RolloutShape | null {
  if (rollout !== null && rollout.targetVersion === config?.targetVersion) return shapeOf(rollout, rows);
  if (foreign !== null && foreign.targetVersion === config?.targetVersion) return { ...NOTHING, state: 'unknown' };
  return null;
}

/** In waves, for the current target: only then an agent has a part in it. */
export const inWaves = ({ config, rollout: { rollout } }: Pick<Seen, 'config' | 'rollout'>): Rollout | null =>
  rollout?.permits && rollout.targetVersion === config?.targetVersion ? rollout : null;

const NOTHING: Omit<RolloutShape, 'state'> = {
  deployment: 0,
  waves: false,
  wave: 0,
  ahead: [],
  canary: [],
  members: [],
  startedAt: 0,
  waveAt: 0,
  soakAt: null,
  activateAt: null,
  leader: null,
  reason: '',
  paused: null,
  late: [],
  excused: [],
  failures: [],
  steered: [],
  policy: null,
  wayBack: false,
  base: null,
};

function shapeOf(rollout: Rollout, rows: Iterable<AgentRow>): RolloutShape {
  const { deployment, state, wave, startedAt, waveAt, soakAt, policy, wayBack } = rollout;
  return {
    deployment,
    state,
    waves: rollout.permits,
    wave,
    ahead: rollout.permits ? wavesAhead(rollout, [...rows]) : [],
    canary: rollout.canary.map(named),
    members: rollout.members.map(named),
    startedAt,
    waveAt,
    soakAt,
    activateAt: rollout.activateAt?.at ?? null,
    leader: rollout.leader && named(rollout.leader.agentId),
    reason: clean(rollout.reason, MAX_TEXT),
    paused: rollout.paused && saidOf(rollout.paused),
    late: rollout.late.map(named),
    excused: rollout.excused.map(named),
    failures: rollout.failures.map(({ agentId, code, reason }) => ({
      agentId: named(agentId),
      code: named(code),
      reason: clean(reason, MAX_TEXT),
    })),
    steered: rollout.steered.map((said) => ({ ...saidOf(said), verb: named(said.verb) })),
    policy,
    wayBack,
    base: rollout.base && { deployment: rollout.base.deployment, commitId: named(rollout.base.commitId) },
  };
}

/** The sizes of the waves after the present one, if no agent fails, joins or leaves. */
function wavesAhead({ policy, state }: Rollout, rows: readonly AgentRow[]): number[] {
  if (policy === null || (state !== 'running' && state !== 'paused' && state !== 'halted')) return [];
  const online = rows.filter(({ onlineSince, suspended }) => onlineSince !== null && suspended === null);
  let left: WaveAgent[] = online.filter(({ part }) => part === 'later');
  const sizes: number[] = [];
  while (left.length > 0) {
    const wave = new Set(nextWave(policy, left, online.length));
    sizes.push(wave.size);
    left = left.filter(({ agentId }) => !wave.has(agentId));
  }
  return sizes;
}

const named = (text: string): string => clean(text, MAX_NAME);
