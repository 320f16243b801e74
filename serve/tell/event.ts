import { createHash } from 'node:crypto';

export const ENDINGS = ['proven', 'failed', 'rolled-back', 'aborted', 'superseded', 'timed-out'] as const;
export type ToldEnding = (typeof ENDINGS)[number];

/** What is told. `begun` and the endings: of a deployment; one opening and one ending each. */
export const WHATS = ['begun', ...ENDINGS, 'halted', 'hold-set', 'hold-lifted', 'agents-silent'] as const;
export type What = (typeof WHATS)[number];

/** The deployment that an event is about. */
export interface ToldDeployment {
  readonly number: number;
  readonly url: string;
  readonly commitId: string;
  readonly ref: string | null;
  /** Of a rollback: the deployment it returned to. */
  readonly returnsTo: number | null;
}

/** An agent that an event is about, with the code of its failure. */
export interface ToldName {
  readonly agentId: string;
  readonly code: string;
}

export interface ToldEvent {
  /**
   * App, deployment and what happened, never text: the same event has the same key in every process and at each try.
   */
  readonly key: string;
  readonly what: What;
  /** Ms since the epoch by the clock of the ensemble. */
  readonly at: number;
  readonly app: string;
  readonly deployment: ToldDeployment | null;
  readonly by: string;
  readonly reason: string;
  /** The agents that failed or are silent. All of them: a text names the first ten. */
  readonly agents: readonly ToldName[];
  readonly reached: number;
  readonly expected: number;
}

/** What receivers see of a key: they drop a second message with the same one. Plain characters, without a full stop. */
export const idOf = (key: string): string => `gf_${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
