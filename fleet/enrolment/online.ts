import { parseIdentity } from '../../schemas/enrolment.ts';
import { parsePresence } from '../../schemas/report.ts';
import { isSignedBy } from '../../schemas/text/signed-json.ts';
import { AGENT_ID, type Znodes } from '../../schemas/znodes.ts';
import { readChildren } from '../../zookeeper/recipes/read-children.ts';
import type { NodeData, Session } from '../../zookeeper/session.ts';
import type { Newcomer } from './enrol.ts';
import { isPresence, presenceSubject } from './trust.ts';

/** The agents that are online, as they say themselves. */
interface Online {
  /** Each presence is signed by the identity that it names, for the session that holds it. */
  readonly newcomers: readonly Newcomer[];
  /** The others: agents of a version that does not sign, and nodes that other clients made. */
  readonly withoutIdentity: readonly string[];
}

/** For trust on first use: it proves that one client has the key, and not which server that client is on. */
export async function readOnline(session: Session, znodes: Znodes): Promise<Online> {
  const { nodes } = await readChildren(session, znodes.online, { names: (name) => AGENT_ID.test(name) });
  const newcomers = [...nodes].flatMap(([agentId, node]) => newcomerAt(agentId, node) ?? []);
  const names = new Set(newcomers.map(({ agentId }) => agentId));
  return { newcomers, withoutIdentity: [...nodes.keys()].filter((name) => !names.has(name)) };
}

function newcomerAt(agentId: string, { data, stat }: NodeData): Newcomer | null {
  const identity = parseIdentity(parsePresence(data)?.identity ?? '');
  if (!identity || !isPresence(stat)) return null;
  return isSignedBy(identity.key, presenceSubject(agentId, stat.ephemeralOwner), data) ? { agentId, identity } : null;
}
