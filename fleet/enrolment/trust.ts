import { isSignedBy } from '../../schemas/text/signed-json.ts';
import { AGENT_ID } from '../../schemas/znodes.ts';
import type { NodeData, NodeStat } from '../../zookeeper/session.ts';

/**
 * Which presences and reports are an agent's own. An access list cannot tell: the creator of a node chooses its list and
 * may name another agent there, and servers show its hashes only to those who may change it. So agents sign. A presence
 * is signed for the server session that holds it, a report for its agent; neither counts under another name, nor a
 * presence in another session.
 * Guarantee: while enrolment is closed, what is returned was signed by the agent that the operator entered under that
 * name. While it is open, everything with a plain name counts, and nothing is verified.
 */
export interface Trust {
  /** While enrolment is open nothing is verified, so a node that was seen once need not be read again. */
  readonly isOpen: boolean;
  /** Whether there can be an agent of this name. */
  names(agentId: string): boolean;
  /** The node, if it is the presence of that agent; else null. */
  presence(agentId: string, node: NodeData | null): NodeData | null;
  report(agentId: string, node: NodeData | null): NodeData | null;
}

interface TrustIn {
  readonly isOpen: boolean;
  readonly agents: ReadonlyMap<string, { readonly key: string }>;
}

/** Remembers what it verified, since most nodes are the same at the next look. */
export function createTrust(): (enrolment: TrustIn) => Trust {
  const verified = new Map<string, { readonly of: string; readonly holds: boolean }>();
  return ({ isOpen, agents }) => {
    const isSigned = (subject: string, agentId: string, { data, stat }: NodeData): boolean => {
      const key = agents.get(agentId)?.key;
      if (key === undefined) return false;
      const of = `${stat.czxid} ${stat.mzxid} ${key}`;
      const known = verified.get(subject);
      if (known?.of === of) return known.holds;
      const holds = isSignedBy(key, subject, data);
      // Subjects of sessions that are over would stay for ever.
      if (verified.size > MAX_REMEMBERED) verified.clear();
      verified.set(subject, { of, holds });
      return holds;
    };
    return {
      isOpen,
      names: (agentId) => AGENT_ID.test(agentId) && (isOpen || agents.has(agentId)),
      presence(agentId, node) {
        if (node === null || !isPresence(node.stat)) return null;
        return isOpen || isSigned(presenceSubject(agentId, node.stat.ephemeralOwner), agentId, node) ? node : null;
      },
      // One that was made for an agent and not written yet says nothing.
      report(agentId, node) {
        if (node === null || node.data.length === 0) return null;
        return isOpen || isSigned(reportSubject(agentId), agentId, node) ? node : null;
      },
    };
  };
}

const MAX_REMEMBERED = 50_000;

/** A presence goes with its session; whatever stays without one was made to look like an agent. */
export const isPresence = ({ ephemeralOwner }: Pick<NodeStat, 'ephemeralOwner'>): boolean => ephemeralOwner !== 0n;

/** What is signed with a presence, and where it counts. */
export const presenceSubject = (agentId: string, sessionId: bigint): string =>
  `presence ${agentId} ${BigInt.asUintN(64, sessionId).toString(16)}`;

export const reportSubject = (agentId: string): string => `report ${agentId}`;
