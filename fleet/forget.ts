import { FleetError } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { parsePresence } from '../schemas/report.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { type AclEntry, ANY_VERSION, type NodeData, type Session } from '../zookeeper/session.ts';
import { type AgentView, isPresence } from './fleet-view.ts';

/**
 * Removes what an agent that is gone left behind: its report, and its permit. An agent that is online is refused, since
 * it would only report again; but for one whose report belongs to a former state directory of that server, so that the
 * present agent may not write it: removed, it is written again.
 * @returns false where nothing is known of such an agent.
 * @throws FleetError ONLINE (the holder is named).
 */
export async function forgetAgent(session: Session, znodes: Znodes, agentId: string): Promise<boolean> {
  for (;;) {
    const report = await session.get(znodes.report(agentId));
    const found = await session.get(znodes.presence(agentId));
    const isFalse = found !== null && !isPresence(found.stat);
    if (isFalse) await removeFalse(session, znodes.presence(agentId), found.stat.version);
    const online = isFalse ? null : found;
    if (online && !(report && (await cannotWriteIt(session, znodes, agentId)))) throw holderRefuses(agentId, online);
    if (!report) return isFalse;
    try {
      // Whoever came back meanwhile has written a newer report, which this version does not name.
      await session.remove(znodes.report(agentId), report.stat.version);
    } catch (error) {
      if (isCode(error, 'BAD_VERSION', 'NO_NODE')) continue;
      throw error;
    }
    if (!online) await removePermit(session, znodes, agentId);
    return true;
  }
}

/** The report's own writer is another one than the presence's: each agent's credential is kept in its state directory. */
async function cannotWriteIt(session: Session, znodes: Znodes, agentId: string): Promise<boolean> {
  const [presence, report] = await Promise.all([
    session.getAcl(znodes.presence(agentId)),
    session.getAcl(znodes.report(agentId)),
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

/** It belongs to no session, so nothing but this ever takes it away, and it keeps its agent from coming online. */
async function removeFalse(session: Session, path: string, version: number): Promise<void> {
  try {
    await session.remove(path, version);
  } catch (error) {
    if (!isCode(error, 'BAD_VERSION', 'NO_NODE')) throw error;
  }
}

async function removePermit(session: Session, znodes: Znodes, agentId: string): Promise<void> {
  try {
    await session.remove(znodes.permit(agentId), ANY_VERSION);
  } catch (error) {
    if (!isCode(error, 'NO_NODE')) throw error;
  }
}

function holderRefuses(agentId: string, online: NodeData): FleetError {
  const card = parsePresence(online.data);
  const holder = card ? `process ${card.pid} on ${visible(card.host, 100)}` : 'a process whose presence cannot be read';
  return FleetError.of('ONLINE', `${visible(agentId, 100)} is online: ${holder} holds its name`);
}
