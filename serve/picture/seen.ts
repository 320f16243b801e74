import type { AgentView } from '../../fleet/fleet-view.ts';
import type { Recorded } from '../../fleet/history.ts';
import type { ConfigContent } from '../../fleet/shared-state.ts';
import type { EnrolmentState } from '../../schemas/enrolment.ts';
import type { parseFlags } from '../../schemas/flags.ts';
import type { parseHold, parseQuarantine } from '../../schemas/hold.ts';
import type { parsePolicy } from '../../schemas/policy.ts';
import type { AuditRecord } from '../../schemas/records/audit.ts';
import type { Rollout } from '../../schemas/rollout.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import type { Twin } from '../../services/contract.ts';

/** One reading of the shared state of an app, each part as its own parser of schemas/ gave it. */
export interface Seen {
  /** Null: `init` was not run for this app. */
  readonly config: (ConfigContent & { readonly targetVersion: TargetVersion; readonly writtenAt: number }) | null;
  readonly rollout: {
    readonly rollout: Rollout | null;
    readonly foreign: { readonly state: string; readonly targetVersion: string } | null;
  };
  readonly policy: ReturnType<typeof parsePolicy>;
  readonly hold: ReturnType<typeof parseHold>;
  readonly quarantine: ReturnType<typeof parseQuarantine>;
  readonly flags: ReturnType<typeof parseFlags>;
  /** The agent that leads rollouts. */
  readonly coordinator: string | null;
  readonly agents: SeenAgents;
  /** Newest first. */
  readonly deployments: readonly Recorded[];
  readonly acts: readonly AuditRecord[];
  readonly services: readonly SeenService[];
  /** Znodes that `init` makes in this version and that are missing, without those before them. */
  readonly missing: readonly string[];
}

export interface SeenAgents {
  /** Sorted by id, those that left for good included. */
  readonly views: readonly AgentView[];
  readonly ignored: number;
  readonly unread: number;
  readonly notEnrolled: readonly string[];
  readonly enrolment: EnrolmentState;
}

export interface SeenService {
  readonly service: string;
  readonly least: number | null;
  /** By name; `address` is null for one that is not in the list. */
  readonly known: readonly {
    readonly name: string;
    readonly address: { readonly host: string; readonly port: number } | null;
    readonly twin: Twin | null;
  }[];
}
