import type * as z from 'zod';
import type { ActRecord, HistoryRecord } from '../api/parts.ts';
import type { AgentRow, stateMembers } from '../api/shapes.ts';

type Members = { readonly [Name in keyof typeof stateMembers]: z.infer<(typeof stateMembers)[Name]> };

/** The state of an app as it is shown and told: what the shapes of the API have, with agents by id. Never changed. */
export interface State extends Members {
  /** In the order of their ids. */
  readonly agents: ReadonlyMap<string, AgentRow>;
  /** Newest first, at most 200. */
  readonly history: readonly HistoryRecord[];
  readonly acts: readonly ActRecord[];
}

export type StateMembers = Members;
