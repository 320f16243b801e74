import type { Failure } from '../../runtime/errors.ts';
import type { JudgedTarget } from '../../schemas/target.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import type { Override } from './override.ts';

/** What is asked of this agent, judged: by the shared state, or by a person on this server. */
export type Wanted =
  | { readonly kind: 'nothing'; readonly why: string }
  | {
      readonly kind: 'refused';
      readonly targetVersion: TargetVersion;
      readonly failure: Failure;
      readonly override?: Override;
    }
  | {
      readonly kind: 'target';
      readonly targetVersion: TargetVersion;
      readonly target: JudgedTarget;
      /** Set if a person on this server chose a commit other than the fleet's. */
      readonly override?: Override;
      /** Set if this is the rollout's base, to its deployment: shown until the fleet's target is cleared. */
      readonly meanwhile?: number;
    };
export type WantedTarget = Extract<Wanted, { kind: 'target' }>;

/** What is known about the fleet's target. */
export interface TargetHeard {
  readonly wanted: Wanted;
  /** The write of `config` that it comes from; null if there is no target. */
  readonly write: { readonly mzxid: bigint; readonly mtime: number } | null;
}

/** @param why what the agent waits for. */
export const nothingHeard = (why: string): TargetHeard => ({ write: null, wanted: { kind: 'nothing', why } });
