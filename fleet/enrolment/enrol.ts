import { clean } from '../../runtime/safe-text.ts';
import {
  type Enrolled,
  encodeEnrolled,
  encodeEnrolment,
  type Identity,
  parseEnrolment,
} from '../../schemas/enrolment.ts';
import type { Said } from '../../schemas/said.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { type AclEntry, ANY_VERSION, type NodeData, type Operation, type Session } from '../../zookeeper/session.ts';
import type { Access } from '../access.ts';
import { appMissing } from '../shared-state.ts';
import { createTries } from '../tries.ts';
import { createTrust } from './trust.ts';

interface EnrolParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
}

/** An agent to be entered. */
export interface Newcomer {
  readonly agentId: string;
  readonly identity: Identity;
}

/** Agents of one transaction: far below what a server takes at once. */
const AT_ONCE = 50;

/**
 * What an operator says about who is an agent. Each write is one transaction that names the version of `enrolment` that
 * it was decided on, and writes that node too, so that readers see by it alone whether anything changed. Each may be
 * repeated; a run that ended half-way has entered whole agents.
 */
export async function enrolAgents(parts: EnrolParts, newcomers: readonly Newcomer[], who: Said): Promise<void> {
  const by = { by: clean(who.by, 200), reason: clean(who.reason, 200), at: who.at };
  for (let from = 0; from < newcomers.length; from += AT_ONCE) {
    const batch = newcomers.slice(from, from + AT_ONCE);
    await change(parts, async () => {
      const enter = batch.map(({ agentId, identity }) => enterOperations(parts, agentId, { ...identity, ...by }));
      return (await Promise.all(enter)).flat();
    });
  }
}

/** Takes agents out: from the next look on they count only while enrolment is open. Names that were not in are left. */
export async function removeEnrolled(parts: EnrolParts, agentIds: readonly string[]): Promise<string[]> {
  const removed: string[] = [];
  for (let from = 0; from < agentIds.length; from += AT_ONCE) {
    const batch = agentIds.slice(from, from + AT_ONCE);
    await change(parts, async () => {
      const there = await Promise.all(batch.map((id) => parts.session.exists(parts.znodes.enrolled(id))));
      const found = batch.filter((_, at) => there[at] !== null);
      removed.push(...found.filter((id) => !removed.includes(id)));
      return found.map((id) => ({ op: 'remove', path: parts.znodes.enrolled(id), version: ANY_VERSION }));
    });
  }
  return removed;
}

/** Opens or closes enrolment; an unreadable one too. False: it was so already. */
export async function setEnrolmentOpen(parts: EnrolParts, open: boolean, who: Said): Promise<boolean> {
  const said = { by: clean(who.by, 200), reason: clean(who.reason, 500), at: who.at };
  let changed = false;
  await change(parts, async (data) => {
    const { isOpen, unreadable } = parseEnrolment(data);
    changed = isOpen !== open || unreadable !== null;
    return changed ? encodeEnrolment(open, said) : [];
  });
  return changed;
}

/** @param decide what to write besides `enrolment`, or the content that it gets. */
async function change(
  { session, znodes }: EnrolParts,
  decide: (data: Buffer) => Promise<Operation[] | Buffer>,
): Promise<void> {
  const tries = createTries();
  for (;;) {
    const node = await session.get(znodes.enrolment);
    if (!node) throw appMissing(znodes.app);
    const decided = await decide(node.data);
    const [data, operations] = Buffer.isBuffer(decided) ? [decided, []] : [node.data, decided];
    if (data === node.data && operations.length === 0) return;
    try {
      await session.transact([{ op: 'set', path: znodes.enrolment, data, version: node.stat.version }, ...operations]);
      return;
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) throw error;
      tries.moved();
    }
  }
}

/** Its entry, and its report node, so that no other client can make that one. */
async function enterOperations(parts: EnrolParts, agentId: string, entry: Enrolled): Promise<Operation[]> {
  const { session, znodes, access } = parts;
  const [entered, node, rights] = await Promise.all([
    session.exists(znodes.enrolled(agentId)),
    session.get(znodes.report(agentId)),
    session.getAcl(znodes.report(agentId)),
  ]);
  const [path, data] = [znodes.enrolled(agentId), encodeEnrolled(entry)];
  const enter: Operation[] =
    entered === null
      ? [{ op: 'create', path, data, mode: 'persistent', acl: access.of('enrolled') }]
      : [{ op: 'set', path, data, version: entered.version }];
  return [...enter, ...reportOperations(parts, agentId, entry, node, rights?.acl ?? [])];
}

function reportOperations(
  { znodes, access }: EnrolParts,
  agentId: string,
  entry: Enrolled,
  node: NodeData | null,
  rights: readonly AclEntry[],
): Operation[] {
  const path = znodes.report(agentId);
  const acl = access.of('report', credentialId(agentId, entry));
  const own = createTrust()({ isOpen: false, agents: new Map([[agentId, entry]]) }).report(agentId, node);
  if (node && sameList(rights, acl) && (own !== null || node.data.length === 0)) return [];
  // What it said itself stays; what another client made in its place is removed.
  const data = own?.data ?? Buffer.alloc(0);
  const remove: Operation[] = node ? [{ op: 'remove', path, version: node.stat.version }] : [];
  return [...remove, { op: 'create', path, data, mode: 'persistent', acl }];
}

/** As access lists name the agent's own credential. */
const credentialId = (agentId: string, { digest }: Identity): string =>
  `agent-${agentId}:${Buffer.from(digest, 'base64url').toString('base64')}`;

function sameList(a: readonly AclEntry[], b: readonly AclEntry[]): boolean {
  const words = (acl: readonly AclEntry[]) =>
    acl.map(({ scheme, id, permissions }) => `${scheme} ${id} ${[...permissions].sort().join('')}`).sort();
  return words(a).join('\n') === words(b).join('\n');
}
