import { clean } from '../../runtime/safe-text.ts';
import {
  type Enrolled,
  encodeEnrolled,
  encodeEnrolment,
  fingerprint,
  type Identity,
  parseEnrolled,
  parseEnrolment,
} from '../../schemas/enrolment.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { readAny } from '../../zookeeper/recipes/read-any.ts';
import { type AclEntry, ANY_VERSION, type NodeData, type Operation } from '../../zookeeper/session.ts';
import { type Act, type AuditParts, actAudited, type Word } from '../audit.ts';
import { appOutdated } from '../shared-state.ts';
import { createTrust } from './trust.ts';

/** An agent to enter. */
export interface Newcomer {
  readonly agentId: string;
  readonly identity: Identity;
}

/** The result for each agent. */
export interface Entered {
  readonly entered: readonly Newcomer[];
  /** Already entered with the same identity. */
  readonly same: readonly Newcomer[];
  /** Already entered with another identity, which stays. */
  readonly kept: readonly Newcomer[];
  /** Not entered: another client created a node below its report's place, and only that client can remove it. */
  readonly blocked: readonly Newcomer[];
}

/** Agents per transaction: far below a server's limit. */
const AT_ONCE = 50;

/**
 * Changes which agents are enrolled, always with an audit record in the same transaction. Each transaction also writes
 * `enrolment`, at the version that was read, so that readers detect every change by that node alone. Idempotent; an
 * interrupted run has entered only complete agents.
 * @param replaces whether to replace another identity that an agent was entered with. A presence alone is no reason for
 * that: while an agent restarts, another client may hold its name.
 */
export async function enrolAgents(
  parts: AuditParts,
  newcomers: readonly Newcomer[],
  word: Word,
  replaces: boolean,
): Promise<Entered> {
  const done: Entered[] = [];
  for (let from = 0; from < newcomers.length; from += AT_ONCE) {
    done.push(await enterBatch(parts, newcomers.slice(from, from + AT_ONCE), word, replaces));
  }
  return {
    entered: done.flatMap(({ entered }) => entered),
    same: done.flatMap(({ same }) => same),
    kept: done.flatMap(({ kept }) => kept),
    blocked: done.flatMap(({ blocked }) => blocked),
  };
}

async function enterBatch(
  parts: AuditParts,
  batch: readonly Newcomer[],
  word: Word,
  replaces: boolean,
): Promise<Entered> {
  const who = { by: clean(word.by, 200), reason: clean(word.reason, 200), at: parts.now() };
  return await change(parts, async () => {
    const found = await Promise.all(batch.map((each) => enterOperations(parts, each, who, replaces)));
    const of = (what: keyof Entered) => batch.filter((_, at) => found[at]?.is === what);
    const value = { entered: of('entered'), same: of('same'), kept: of('kept'), blocked: of('blocked') };
    const what = listed(value.entered.map(({ agentId, identity }) => `${agentId}=${fingerprint(identity)}`));
    return { value, operations: found.flatMap(({ operations }) => operations), act: { kind: 'enrol', ...word, what } };
  });
}

/**
 * Removes agents: from the next reading on, they count only while enrolment is open. @returns those that were enrolled.
 */
export async function removeEnrolled(parts: AuditParts, agentIds: readonly string[], word: Word): Promise<string[]> {
  const removed: string[] = [];
  const named = [...new Set(agentIds)];
  for (let from = 0; from < named.length; from += AT_ONCE) {
    const batch = named.slice(from, from + AT_ONCE);
    const found = await change(parts, async () => {
      const there = await Promise.all(batch.map((id) => parts.session.exists(parts.znodes.enrolled(id))));
      const value = batch.filter((_, at) => there[at] !== null);
      const remove = (id: string) => ({ op: 'remove', path: parts.znodes.enrolled(id), version: ANY_VERSION }) as const;
      return { value, operations: value.map(remove), act: { kind: 'unenrol', ...word, what: listed(value) } };
    });
    removed.push(...found);
  }
  return removed;
}

/** Opens or closes enrolment, even an unreadable one. False: it was already so. */
export async function setEnrolmentOpen(parts: AuditParts, open: boolean, word: Word): Promise<boolean> {
  const said = { by: clean(word.by, 200), reason: clean(word.reason, 500), at: parts.now() };
  return await change(parts, async (before) => {
    const { isOpen, unreadable } = parseEnrolment(before);
    const value = isOpen !== open || unreadable !== null;
    const act = { kind: open ? 'enrolment-open' : 'enrolment-close', ...word, what: '' } as const;
    return { value, operations: [], act, ...(value ? { data: encodeEnrolment(open, said) } : {}) };
  });
}

interface Change<T> {
  readonly value: T;
  /** In addition to the write of `enrolment`. */
  readonly operations: readonly Operation[];
  readonly act: Act;
  /** The new content of `enrolment`; absent: unchanged. */
  readonly data?: Buffer;
}

/** Without operations and new content, nothing is written and no act is recorded. */
async function change<T>(parts: AuditParts, decide: (before: Buffer) => Promise<Change<T>>): Promise<T> {
  const { session, znodes } = parts;
  return await actAudited(parts, async () => {
    const node = await session.get(znodes.enrolment);
    if (!node) throw appOutdated(znodes.app, znodes.enrolment);
    const { value, operations, act, data } = await decide(node.data);
    if (data === undefined && operations.length === 0) return { value, operations, act: null };
    const path = znodes.enrolment;
    const set = { op: 'set', path, data: data ?? node.data, version: node.stat.version } as const;
    return { value, operations: [set, ...operations], act };
  });
}

/** As many as fit into an audit record; each entry also names its own author. */
function listed(words: readonly string[]): string {
  const whole = words.join(', ');
  if (whole.length <= MAX_LISTED) return whole;
  const fitting = whole.slice(0, MAX_LISTED).split(', ').slice(0, -1);
  return `${fitting.join(', ')} and ${words.length - fitting.length} more`;
}

const MAX_LISTED = 900;

interface Entering {
  readonly is: keyof Entered;
  readonly operations: readonly Operation[];
}

/** Writes the agent's entry, and creates its report node, so that no other client can create that one. */
async function enterOperations(
  parts: AuditParts,
  { agentId, identity }: Newcomer,
  who: Pick<Enrolled, 'by' | 'reason' | 'at'>,
  replaces: boolean,
): Promise<Entering> {
  const { session, znodes, access } = parts;
  const [found, node, rights] = await Promise.all([
    session.get(znodes.enrolled(agentId)),
    readAny(session, znodes.report(agentId)),
    session.getAcl(znodes.report(agentId)).catch(shut),
  ]);
  const before = found && parseEnrolled(found.data);
  const isSame = before?.key === identity.key && before.digest === identity.digest;
  if (before && !isSame && !replaces) return { is: 'kept', operations: [] };
  const report = reportOperations(parts, agentId, identity, node, rights?.acl ?? []);
  if (isSame && report.length === 0) return { is: 'same', operations: [] };
  if (report.length > 0 && (node?.stat.numChildren ?? 0) > 0) return { is: 'blocked', operations: [] };
  const [path, data] = [znodes.enrolled(agentId), encodeEnrolled({ ...identity, ...who })];
  const enter: Operation = found
    ? { op: 'set', path, data, version: found.stat.version }
    : { op: 'create', path, data, mode: 'persistent', acl: access.of('enrolled') };
  return { is: 'entered', operations: [enter, ...report] };
}

/** A node that its creator shut to us has rights that are not ours. */
function shut(error: unknown): null {
  if (isCode(error, 'NO_AUTH')) return null;
  throw error;
}

function reportOperations(
  { znodes, access }: AuditParts,
  agentId: string,
  identity: Identity,
  node: NodeData | null,
  rights: readonly AclEntry[],
): Operation[] {
  const path = znodes.report(agentId);
  const acl = access.of('report', credentialId(agentId, identity));
  const own = createTrust()({ isOpen: false, agents: new Map([[agentId, identity]]) }).report(agentId, node);
  if (node && sameList(rights, acl) && (own !== null || node.data.length === 0)) return [];
  // The agent's own report stays; another client's node in its place is removed.
  const data = own?.data ?? Buffer.alloc(0);
  const remove: Operation[] = node ? [{ op: 'remove', path, version: node.stat.version }] : [];
  return [...remove, { op: 'create', path, data, mode: 'persistent', acl }];
}

/** The id of the agent's own credential in access lists. */
const credentialId = (agentId: string, { digest }: Identity): string =>
  `agent-${agentId}:${Buffer.from(digest, 'base64url').toString('base64')}`;

function sameList(a: readonly AclEntry[], b: readonly AclEntry[]): boolean {
  const words = (acl: readonly AclEntry[]) =>
    acl.map(({ scheme, id, permissions }) => `${scheme} ${id} ${[...permissions].sort().join('')}`).sort();
  return words(a).join('\n') === words(b).join('\n');
}
