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

/** `name`: a node that was not the agent's own was removed, so that it can come online; `report`: what it left behind. */
export type Forgotten = 'name' | 'report';

/**
 * Removes what an agent that is gone left behind: its report, and its permit, with an audit record in the same
 * transaction. An agent that is online is refused, since it would only report again; but for one whose report belongs to
 * a former state directory of that server, so that the present agent may not write it: removed, it is written again.
 * A presence that is not its agent's own is removed in any case, and, while enrolment is closed, everything under a name
 * that is not enrolled. The report node of an enrolled agent stays, empty, so that no other client makes it.
 * @returns null where nothing is known of such an agent.
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
    // One of no session is never taken away by anything else, and keeps its agent from coming online.
    const isFalse = found !== null && (!trust.names(agentId) || trust.presence(agentId, found) === null);
    const online = isFalse ? null : found;
    if (online && !(report && (await cannotWriteIt(session, znodes, agentId)))) throw holderRefuses(agentId, online);
    const isPlace = enrolled !== null && report?.data.length === 0;
    if ((!report || isPlace) && !isFalse) return { value: null, operations: [], act: null };
    // The report of an enrolled agent is its own: that agent takes its name at once.
    const gone = isFalse && !enrolment.isOpen && trust.names(agentId) ? null : report;
    const kept = gone && enrolled ? await emptyAgain(session, znodes.report(agentId)) : [];
    const remove = (path: string, stat: NodeStat): Operation => ({ op: 'remove', path, version: stat.version });
    const operations = [
      ...(isFalse ? [remove(znodes.presence(agentId), found.stat)] : []),
      // An agent that came back meanwhile has written a newer report, which this version does not name.
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

/** Its rights stay: no other client can make or write it. */
async function emptyAgain(session: Session, path: string): Promise<Operation[]> {
  const rights = await rightsOf(session, path);
  return rights ? [{ op: 'create', path, data: Buffer.alloc(0), mode: 'persistent', acl: rights.acl }] : [];
}

/** Null where there is no such node, or its creator shut it to us. */
async function rightsOf(session: Session, path: string) {
  return await session.getAcl(path).catch((error: unknown) => {
    if (isCode(error, 'NO_AUTH')) return null;
    throw error;
  });
}

/** The report's own writer is another one than the presence's: each agent's credential is kept in its state directory. */
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
 * Who is offline, the longest first, and what stands in the place of an agent and is none.
 * @param olderMs how long ago the last report must be, by the clock of the ensemble, which is `now`.
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
