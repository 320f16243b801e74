import type { Deployment } from '../schemas/deployment.ts';
import type { Brake, Quarantined } from '../schemas/hold.ts';
import type { Policy } from '../schemas/policy.ts';
import type { CutoverStanding } from '../schemas/records/cutover.ts';
import type { Report } from '../schemas/report.ts';
import type { Rollout } from '../schemas/rollout.ts';
import type { TargetVersion } from '../schemas/values.ts';

/** What makes a target, with its signed envelope where it has one. */
export type Core = Deployment['target'];

/** Everything that the coordinator decides from. Times are ms since the epoch by the clock of the ensemble. */
export interface Observed {
  readonly now: number;
  /** The target in `config`; null: nothing has been published yet. */
  readonly wanted: WantedDeployment | null;
  readonly policy: { readonly value: Policy | null; readonly unreadable: string | null };
  readonly rollout: Rollout | null;
  /** The state of the rollout of config's target, if this version does not know it; `rollout` is null then. */
  readonly unknownState: string | null;
  /** The record of the deployment of `rollout`, if config now has another one. */
  readonly left: Deployment | null;
  /**
   * The newest proven deployment that is not in quarantine; read if a rollout is about to begin, or its base is in it.
   */
  readonly proven: Deployment | null;
  readonly quarantine: Brake<readonly Quarantined[]>;
  readonly agents: readonly AgentSeen[];
  /** Whether the leader itself saw the ensemble lose data, and config dates from before that. */
  readonly setBack: boolean;
  /** How long this leader has watched without a gap or a jump of its time, ms. */
  readonly watched: number;
}

export interface WantedDeployment {
  readonly targetVersion: TargetVersion;
  /** Null: no agent can read it. */
  readonly target: Core | null;
  readonly policy: Policy | null;
  /** Null: set by another ZooKeeper client and not adopted yet. */
  readonly record: Deployment | null;
}

export interface AgentSeen {
  readonly agentId: string;
  readonly online: boolean;
  /** Empty while it is offline. */
  readonly labels: Readonly<Record<string, string>>;
  /** From its presence, while it is online; null: its version does not know cutovers. */
  readonly cutover: CutoverStanding | null;
  readonly report: Report | null;
  readonly permit: { readonly targetVersion: TargetVersion | null; readonly at: number } | null;
  /** When it was last seen. */
  readonly heard: number;
  /** When this leader last saw it active and online, or first saw it if it was active before; 0: never. */
  readonly well: number;
}

/** Why this commit may not be activated; null: it may. */
export function inQuarantine({ quarantine }: Observed, commitId: string): string | null {
  if (quarantine.unreadable) return quarantine.unreadable;
  const found = quarantine.value.find((each) => each.commitId === commitId);
  return found ? found.reason || 'without a reason' : null;
}
