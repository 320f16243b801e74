import { isSignedBy } from '../../schemas/text/signed-json.ts';
import { AGENT_ID } from '../../schemas/znodes.ts';
import type { NodeData, NodeStat } from '../../zookeeper/session.ts';

/**
 * Decides which presences and reports are an agent's own. An access list does not prove it: the creator of a node
 * chooses the list and may name another agent there, and servers show the hashes only to those who may change the list.
 * So agents sign: a presence for the server session that holds it, a report for its agent. Neither counts under another
 * name, and a presence not in another session.
 * Guarantee: while enrolment is closed, every returned node was signed by the agent that the operator entered under
 * that name. While it is open, nothing is verified, and everything with a valid name counts.
 */
export interface Trust {
  /** While enrolment is open nothing is verified, so a known node need not be read again. */
  readonly isOpen: boolean;
  /** Whether there can be an agent with this name. */
  names(agentId: string): boolean;
  /** The node, if it is the presence of that agent; otherwise null. */
  presence(agentId: string, node: NodeData | null): NodeData | null;
  report(agentId: string, node: NodeData | null): NodeData | null;
}

interface TrustIn {
  readonly isOpen: boolean;
  readonly agents: ReadonlyMap<string, { readonly key: string }>;
}

/** Remembers what it verified, because most nodes are unchanged at the next reading. */
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
      // Otherwise entries of ended sessions would stay forever.
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
      // An empty report was created at enrolment, and its agent has not written it yet.
      report(agentId, node) {
        if (node === null || node.data.length === 0) return null;
        return isOpen || isSigned(reportSubject(agentId), agentId, node) ? node : null;
      },
    };
  };
}

const MAX_REMEMBERED = 50_000;

/** A presence is ephemeral. A persistent node in its place was only made to look like an agent. */
export const isPresence = ({ ephemeralOwner }: Pick<NodeStat, 'ephemeralOwner'>): boolean => ephemeralOwner !== 0n;

/** What the signature of a presence covers besides its content: the agent and the session. */
export const presenceSubject = (agentId: string, sessionId: bigint): string =>
  `presence ${agentId} ${BigInt.asUintN(64, sessionId).toString(16)}`;

export const reportSubject = (agentId: string): string => `report ${agentId}`;
