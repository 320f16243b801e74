import { type Enrolled, type EnrolmentState, parseEnrolled, parseEnrolment } from '../../schemas/enrolment.ts';
import { AGENT_ID, type Znodes } from '../../schemas/znodes.ts';
import { readListed } from '../../zookeeper/recipes/read-children.ts';
import type { Session } from '../../zookeeper/session.ts';

/** Which agents count now. */
export interface Enrolment extends EnrolmentState {
  /** By agentId. Read only while enrolment is closed. */
  readonly agents: ReadonlyMap<string, Enrolled>;
}

const NO_AGENTS: ReadonlyMap<string, Enrolled> = new Map();

/**
 * Reads which agents are enrolled, and reads the entries again only after a change: each write below `enrolment` also
 * writes `enrolment`, in the same transaction. While enrolment is open, only that small node is read. A missing node,
 * as in apps of older versions, means open.
 */
export function createEnrolmentReader(session: Session, znodes: Znodes): () => Promise<Enrolment> {
  let known: { readonly mzxid: bigint; readonly value: Enrolment } | null = null;
  return async () => {
    // At the first reading, the names are requested together with the node, but after it: this takes no extra time, and
    // the names cannot be older than the node.
    const asking = session.get(znodes.enrolment);
    const [node, listed] = await Promise.all([asking, known === null ? session.children(znodes.enrolment) : null]);
    const state = parseEnrolment(node?.data ?? Buffer.alloc(0));
    if (node === null || state.isOpen) return { ...state, agents: NO_AGENTS };
    if (known?.mzxid === node.stat.mzxid) return known.value;
    const names = listed ?? (await session.children(znodes.enrolment)) ?? [];
    const value = { ...state, agents: await readEnrolled(session, znodes, names) };
    known = { mzxid: node.stat.mzxid, value };
    return value;
  };
}

/** Every enrolled agent, even while enrolment is open. Unreadable entries do not count. */
export async function readEnrolled(
  session: Session,
  znodes: Znodes,
  names: readonly string[],
): Promise<ReadonlyMap<string, Enrolled>> {
  const { nodes } = await readListed(session, znodes.enrolment, names, { names: (name) => AGENT_ID.test(name) });
  const agents = new Map<string, Enrolled>();
  for (const [agentId, { data }] of nodes) {
    const entry = parseEnrolled(data);
    if (entry) agents.set(agentId, entry);
  }
  return agents;
}
