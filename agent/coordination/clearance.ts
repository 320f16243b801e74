import { isTogether } from '../../schemas/policy.ts';
import type { Instant } from '../../schemas/records/cutover.ts';
import type { ForeignRollout, Rollout } from '../../schemas/rollout.ts';
import type { Target } from '../../schemas/target.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import type { Base } from '../door/base.ts';
import type { WantedTarget } from '../state/wanted.ts';

/** What the rollout says to this agent. */
export interface RolloutView {
  /** False until ZooKeeper has answered once. */
  readonly known: boolean;
  readonly rollout: Omit<Rollout, 'base'> | null;
  /** Whether this agent is in the current wave of the rollout. */
  readonly isMember: boolean;
  /** The rollout's base, if this agent's own rules accept it. */
  readonly base: Base | null;
  /** Set instead of `rollout` if its state is one that only a newer version knows. */
  readonly unknown: ForeignRollout | null;
  /** The targetVersion that this agent may activate. */
  readonly permit: TargetVersion | null;
  /** Whether the app has a policy. Counts only while no rollout has begun. */
  readonly policy: PolicyAnswer;
}

/** Whether a policy is in force while no rollout has begun. */
export type PolicyAnswer = 'none' | 'in force' | 'not known';

export const NOTHING_VIEWED: RolloutView = {
  ...{ known: false, rollout: null, isMember: false, base: null, unknown: null, permit: null, policy: 'not known' },
};

/** The target's own policy takes precedence over the app's. */
export const policyFor = (target: Pick<Target, 'gitfleet'>, { policy }: RolloutView): PolicyAnswer =>
  target.gitfleet?.policy === undefined ? policy : 'in force';

export type Clearance =
  /** `at`: the instant to swap at, if all agents of the wave swap together. */
  | { readonly kind: 'go'; readonly at?: Instant }
  /** Meanwhile everything is made ready. */
  | { readonly kind: 'await'; readonly waitingFor: string }
  /** Nothing is made ready: another target has to come. */
  | { readonly kind: 'never'; readonly waitingFor: string };

const GO: Clearance = { kind: 'go' };

/** Whether this agent may activate the target; pure. docs/design.md section 3 has the rule in words. */
export function clearanceOf(targetVersion: TargetVersion, view: RolloutView, policy: PolicyAnswer): Clearance {
  const { rollout, unknown } = view;
  if (!view.known) return { kind: 'await', waitingFor: 'ZooKeeper to say how this rollout goes' };
  if (unknown?.targetVersion === targetVersion) {
    const what = `another target, or a newer gitfleet here: the rollout is ${unknown.state}, which this version does not know`;
    return { kind: 'await', waitingFor: what };
  }
  if (rollout?.targetVersion !== targetVersion) {
    if (policy === 'none') return GO;
    const what =
      policy === 'in force' ? 'a coordinator to begin the rollout' : 'ZooKeeper to say whether a policy is in force';
    return { kind: 'await', waitingFor: what };
  }
  if (!rollout.permits || rollout.state === 'proven') return GO;
  const name = `d-${rollout.deployment}`;
  if (isOpen(rollout) && isTogether(rollout.policy)) return clearedTogether(rollout, view.isMember);
  if (isOpen(rollout)) {
    if (rollout.state !== 'halted' && view.permit === targetVersion) return GO;
    // The same words in all three states: the rollout itself shows a pause; a thousand agents need not report it.
    return { kind: 'await', waitingFor: `its turn (a permit for ${name})` };
  }
  return { kind: 'never', waitingFor: `another target: ${name} is ${rollout.state}` };
}

/**
 * In a cutover, the instant of the agent's wave counts instead of a permit. A pause does not stop an instant that is
 * already set.
 */
function clearedTogether(rollout: Omit<Rollout, 'base'>, isMember: boolean): Clearance {
  const at = isMember && rollout.state !== 'halted' ? rollout.activateAt : null;
  if (at) return { kind: 'go', at };
  return {
    kind: 'await',
    waitingFor: `its turn (all of its wave to be ready, to swap together in d-${rollout.deployment})`,
  };
}

/**
 * Whether an active release still has to stay healthy here: its rollout is open, neither that rollout nor an earlier
 * one has proven it, and no person on this server chose it. Pure.
 */
export function isUnproven(wanted: WantedTarget, { rollout, base }: RolloutView): boolean {
  if (wanted.override !== undefined || wanted.meanwhile !== undefined) return false;
  if (!rollout?.permits || rollout.targetVersion !== wanted.targetVersion || !isOpen(rollout)) return false;
  const proven = base?.target;
  return proven?.commitId !== wanted.target.commitId || proven.relativePath !== wanted.target.relativePath;
}

/** Whether the rollout of this target tries it on this agent first. Its base is proven: it needs no trial. Pure. */
export const isCanaryOf = (
  { rollout }: RolloutView,
  agentId: string,
  { targetVersion, meanwhile }: Pick<WantedTarget, 'targetVersion' | 'meanwhile'>,
): boolean => meanwhile === undefined && rollout?.targetVersion === targetVersion && rollout.canary.includes(agentId);

const isOpen = ({ state }: Pick<Rollout, 'state'>): boolean =>
  state === 'running' || state === 'paused' || state === 'halted';

/** Whether, as far as the rollout says, agents are still on their way to this target. Pure. */
export const fleetDeploys = ({ targetVersion }: WantedTarget, { rollout }: RolloutView): boolean =>
  rollout?.targetVersion === targetVersion && rollout.state === 'running';

/** Whether a new rollout view changes anything for this agent. Pure. */
export function changesClearance(wanted: WantedTarget, before: RolloutView, now: RolloutView): boolean {
  const [was, is] = [before, now].map((view) => {
    const leave = clearanceOf(wanted.targetVersion, view, policyFor(wanted.target, view));
    return JSON.stringify([leave, view.base, isUnproven(wanted, view), fleetDeploys(wanted, view)]);
  });
  return was !== is;
}

/**
 * What an agent without clearance shows meanwhile. It keeps what it serves; but if it serves nothing at that place, or
 * was not online when the target was published, it goes to the last proven target. Null: it stays as it is.
 * @param shown the commits that the links show, by relativePath.
 * @param pending the links whose activation is pending, by relativePath.
 */
export function baseMeanwhile(
  wanted: WantedTarget,
  base: Base | null,
  shown: Readonly<Record<string, string>>,
  pending: Readonly<Record<string, unknown>>,
  late: boolean,
): WantedTarget | null {
  const { relativePath, commitId } = wanted.target;
  if (!base || shown[relativePath] === commitId) return null;
  if (!late && shown[relativePath] !== undefined) return null;
  const { target } = base;
  if (shown[target.relativePath] === target.commitId && !(target.relativePath in pending)) return null;
  return { kind: 'target', targetVersion: wanted.targetVersion, target, meanwhile: base.deployment };
}
