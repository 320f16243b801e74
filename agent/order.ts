import type { RolloutView } from './coordination/clearance.ts';
import { type Accepted, judgeOrder } from './state/accepted.ts';
import type { TargetHeard } from './state/wanted.ts';

/**
 * What was heard, as far as it comes in order: a signed target that was signed before one that this agent accepted is
 * refused here, at each pass, since time passes and other targets are accepted meanwhile. Pure. What needs no signature
 * passes; the door (door/door.ts) has judged all else.
 */
export function targetInOrder(heard: TargetHeard, memory: Accepted, now: number): TargetHeard {
  const { wanted, write } = heard;
  if (wanted.kind !== 'target' || wanted.target.envelope === null) return heard;
  const failure = judgeOrder(memory, wanted.target.envelope, now);
  return failure ? { write, wanted: { kind: 'refused', targetVersion: wanted.targetVersion, failure } } : heard;
}

/** The same for the base of a rollout; a base that is refused counts as none. */
export function baseInOrder(view: RolloutView, memory: Accepted, now: number): RolloutView {
  const envelope = view.base?.target.envelope ?? null;
  return envelope && judgeOrder(memory, envelope, now) ? { ...view, base: null } : view;
}
