import { type Deployment, MAX_MISSING } from '../schemas/deployment.ts';
import { parseTargetVersion } from '../schemas/target-version.ts';

/**
 * What the records say about one agent. They name those who missed a deployment, and not those who reached it.
 *
 * - `missed`: its code is in the record; `offline` is one of them.
 * - `reached`: the record names all who missed it, and not this agent.
 * - `unknown`: nothing shows that the agent was there. The record was judged before its first report or written after
 *   its last one, or it names only some of many who missed it.
 * - `open`: the deployment is not judged yet.
 */
export interface AgentPart {
  readonly state: 'reached' | 'missed' | 'unknown' | 'open';
  readonly code: string | null;
}

/** An agent, and when it reported. */
export interface AgentReports {
  readonly agentId: string;
  /** The times of its report node, by the clock of the ensemble; null: there is none. */
  readonly reported: { readonly first: number; readonly last: number } | null;
}

export function partOf(record: Deployment, { agentId, reported }: AgentReports): AgentPart {
  const { outcome } = record;
  if (!outcome) return { state: 'open', code: null };
  const missed = outcome.missing.find((each) => each.agentId === agentId);
  if (missed) return { state: 'missed', code: missed.code };
  const namesAll = outcome.missing.length < MAX_MISSING;
  // Who reaches a deployment reports it. One that left for good, or never came, is not among those who missed it.
  const wasThere = reported !== null && reported.first <= outcome.at && reported.last >= writtenAt(record);
  return { state: namesAll && wasThere ? 'reached' : 'unknown', code: null };
}

/** When its target was written to `config`: the record of a foreign write comes later, and names that write. */
const writtenAt = ({ at, adopts }: Deployment): number =>
  adopts === null ? at : (parseTargetVersion(adopts)?.mtime ?? at);
