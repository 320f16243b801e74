import { type Deployment, MAX_MISSING } from '../schemas/deployment.ts';

/**
 * What the records say about one agent. They name those who missed a deployment, and not those who reached it.
 *
 * - `missed`: its code is in the record; `offline` is one of them.
 * - `reached`: the record names all who missed it, and not this agent.
 * - `unknown`: the record was written before the agent reported first, or names only some of many who missed it.
 * - `open`: the deployment is not judged yet.
 */
export interface AgentPart {
  readonly state: 'reached' | 'missed' | 'unknown' | 'open';
  readonly code: string | null;
}

/** An agent, and since when this app has a report of it; null: there is none. */
export interface AgentSince {
  readonly agentId: string;
  readonly since: number | null;
}

export function partOf({ outcome }: Deployment, { agentId, since }: AgentSince): AgentPart {
  if (!outcome) return { state: 'open', code: null };
  const missed = outcome.missing.find((each) => each.agentId === agentId);
  if (missed) return { state: 'missed', code: missed.code };
  const isKnown = since !== null && since <= outcome.at && outcome.missing.length < MAX_MISSING;
  return { state: isKnown ? 'reached' : 'unknown', code: null };
}
