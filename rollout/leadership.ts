import type { Rollout } from '../schemas/rollout.ts';
import type { Term } from '../zookeeper/recipes/candidacy.ts';

/** One agent's term as leader, as the rollout record names it. */
export interface Leadership {
  readonly term: Pick<Term, 'guard' | 'fence' | 'signal'>;
  readonly agentId: string;
}

export function leaderOf({ term, agentId }: Leadership): NonNullable<Rollout['leader']> {
  return { agentId, czxid: BigInt.asUintN(64, term.fence).toString(16) };
}

export function isLedBy(rollout: Rollout, leadership: Leadership): boolean {
  const { agentId, czxid } = leaderOf(leadership);
  return rollout.leader?.agentId === agentId && rollout.leader.czxid === czxid;
}
