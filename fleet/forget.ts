import { FleetError } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { parsePresence } from '../schemas/report.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { readAny } from '../zookeeper/recipes/read-any.ts';
import type { AclEntry, NodeData, NodeStat, Operation, Session } from '../zookeeper/session.ts';
import { type AuditParts, actAudited, type Word } from './audit.ts';
import { createEnrolmentReader } from './enrolment/enrolment.ts';
import { createTrust } from './enrolment/trust.ts';
import type { AgentView } from './fleet-view.ts';

/**
 * `name`: a node that was not the agent's own was removed, so that the agent can come online. `report`: what the agent
 * left behind was removed.
 */
export type Forgotten = 'name' | 'report';

/**
 * Removes what an agent that is gone left behind, its report and its permit, with an audit record in the same
 * transaction. Refuses an online agent, which would only report again; unless the report belongs to a former state
 * directory of that server, so that the current agent may not write it: then the removal lets it. A presence that is
 * not its agent's own is always removed, and while enrolment is closed, so is everything under a name that is not
 * enrolled. The report node of an enrolled agent stays, empty, so that no other client can create it.
 * @returns null if nothing is known about such an agent.
 * @throws FleetError ONLINE (the holder is named), APP_MISSING.
 */
export async function forgetAgent(parts: AuditParts, agentId: string, word: Word): Promise<Forgotten | null> {
  const { session, znodes } = parts;
  return await actAudited(parts, async () => {
    const enrolment = await createEnrolmentReader(session, znodes)();
    const trust = createTrust()(enrolment);
    const [report, found, permit, enrolled] = await Promise.all([
      readAny(session, znodes.report(agentId)),
      readAny(session, znodes.presence(agentId)),
      session.exists(znodes.permit(agentId)),
      session.exists(znodes.enrolled(agentId)),
    ]);
    // Nothing else removes a node without a session, and it prevents its agent from coming online.
    const isFalse = found !== null && (!trust.names(agentId) || trust.presence(agentId, found) === null);
    const online = isFalse ? null : found;
    if (online && !(report && (await cannotWriteIt(session, znodes, agentId)))) throw holderRefuses(agentId, online);
    const isPlace = enrolled !== null && report?.data.length === 0;
    if ((!report || isPlace) && !isFalse) return { value: null, operations: [], act: null };
    // The report of an enrolled agent is genuine, and the agent takes its name as soon as it is free.
    const gone = isFalse && !enrolment.isOpen && trust.names(agentId) ? null : report;
    const kept = gone && enrolled ? await emptyAgain(session, znodes.report(agentId)) : [];
    const remove = (path: string, stat: NodeStat): Operation => ({ op: 'remove', path, version: stat.version });
    const operations = [
      ...(isFalse ? [remove(znodes.presence(agentId), found.stat)] : []),
      // If the agent has come back in the meantime, its newer report has another version, and the removal fails.
      ...(gone ? [remove(znodes.report(agentId), gone.stat)] : []),
      ...kept,
      ...(permit && gone && !online ? [remove(znodes.permit(agentId), permit)] : []),
    ];
    return {
      value: gone ? ('report' as const) : ('name' as const),
      operations,
      act: { kind: 'forget', ...word, what: agentId },
    };
  });
}

/** With the same rights, so that no other client can create or write it. */
async function emptyAgain(session: Session, path: string): Promise<Operation[]> {
  const rights = await rightsOf(session, path);
  return rights ? [{ op: 'create', path, data: Buffer.alloc(0), mode: 'persistent', acl: rights.acl }] : [];
}

/** Null if there is no such node, or its creator shut it to us. */
async function rightsOf(session: Session, path: string) {
  return await session.getAcl(path).catch((error: unknown) => {
    if (isCode(error, 'NO_AUTH')) return null;
    throw error;
  });
}

/** Whether the creator of the presence may not write the report: each agent's credential is in its state directory. */
async function cannotWriteIt(session: Session, znodes: Znodes, agentId: string): Promise<boolean> {
  const [presence, report] = await Promise.all([
    rightsOf(session, znodes.presence(agentId)),
    rightsOf(session, znodes.report(agentId)),
  ]);
  if (!presence || !report) return false;
  const writers = (acl: readonly AclEntry[]) => acl.filter((entry) => entry.permissions.includes('w'));
  if (writers(report.acl).some((entry) => entry.scheme === 'world')) return false;
  const may = new Set(writers(report.acl).map((entry) => entry.id));
  return writers(presence.acl).some((entry) => !may.has(entry.id));
}

/**
 * The agents that are offline, longest first, and nodes that only look like an agent.
 * @param olderMs the minimum age of the last report, by the ensemble's clock, as in `now`.
 */
export function forgettable(fleet: readonly AgentView[], now: number, olderMs: number): AgentView[] {
  const isOld = ({ reportedAt, falsePresence }: AgentView) =>
    reportedAt === null ? falsePresence === true && olderMs === 0 : now - reportedAt >= olderMs;
  return fleet
    .filter((view) => !view.presence && isOld(view))
    .toSorted((a, b) => (a.reportedAt ?? 0) - (b.reportedAt ?? 0) || (a.agentId < b.agentId ? -1 : 1));
}

function holderRefuses(agentId: string, online: NodeData): FleetError {
  const card = parsePresence(online.data);
  const holder = card ? `process ${card.pid} on ${visible(card.host, 100)}` : 'a process whose presence cannot be read';
  return FleetError.of('ONLINE', `${visible(agentId, 100)} is online: ${holder} holds its name`);
}
