/**
 * What the teller looks at: the state of the app as the picture has it (serve/picture/), and of that only this. Texts
 * in it come from other programs and are of bounded length.
 */
export interface ToldView {
  readonly target: { readonly url: string; readonly commitId: string } | null;
  readonly rollout: ToldRollout | null;
  /** Newest first. */
  readonly history: readonly ToldRecord[];
  readonly acts: readonly ToldAct[];
  readonly agents: ReadonlyMap<string, ToldAgent>;
  /** Of the agents that are online and not suspended: how many show the target. */
  readonly reached: number;
  readonly expected: number;
}

export interface ToldRollout {
  readonly deployment: number;
  readonly state: string;
  readonly reason: string;
  readonly failures: readonly { readonly agentId: string; readonly code: string }[];
  /** Newest first. */
  readonly steered: readonly { readonly at: number }[];
}

export interface ToldRecord {
  readonly number: number;
  readonly target: { readonly url: string; readonly commitId: string };
  readonly by: string;
  readonly reason: string;
  readonly at: number;
  readonly ref: string | null;
  readonly returnsTo: number | null;
  readonly outcome: {
    readonly state: string;
    readonly at: number;
    readonly reached: number;
    readonly expected: number;
    readonly missing: readonly { readonly agentId: string; readonly code: string }[];
    readonly by: string;
    readonly reason?: string | undefined;
  } | null;
}

export interface ToldAct {
  readonly number: number;
  readonly kind: string;
  readonly by: string;
  readonly reason: string;
  readonly at: number;
  readonly what: string;
}

export interface ToldAgent {
  readonly onlineSince: number | null;
  readonly reportedAt: number | null;
  readonly error: { readonly code: string } | null;
  readonly standing: string;
}
