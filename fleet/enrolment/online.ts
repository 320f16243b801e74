import { parseIdentity } from '../../schemas/enrolment.ts';
import { parsePresence } from '../../schemas/report.ts';
import { isSignedBy } from '../../schemas/text/signed-json.ts';
import { AGENT_ID, type Znodes } from '../../schemas/znodes.ts';
import { readChildren } from '../../zookeeper/recipes/read-children.ts';
import type { NodeData, Session } from '../../zookeeper/session.ts';
import type { Newcomer } from './enrol.ts';
import { isPresence, presenceSubject } from './trust.ts';

/** The online agents, by their own presences. */
interface Online {
  /** Their presences are signed by the identity that they name, for the session that holds them. */
  readonly newcomers: readonly Newcomer[];
  /** The others: agents of a version that does not sign, and nodes of other clients. */
  readonly withoutIdentity: readonly string[];
}

/** For trust on first use: proves that a client has the key, but not which server that client runs on. */
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
