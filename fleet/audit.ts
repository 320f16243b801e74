import { clean } from '../runtime/safe-text.ts';
import {
  type AuditKind,
  type AuditRecord,
  auditRecord,
  encodeAuditRecord,
  parseAuditRecord,
} from '../schemas/records/audit.ts';
import { type Before, chainTo } from '../schemas/records/chain.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { Operation, Session } from '../zookeeper/session.ts';
import type { Access } from './access.ts';
import { KEPT, numbersIn, removeOldAudit } from './numbered.ts';
import { contentOf, find } from './record-node.ts';
import { appOutdated, bytesOf } from './shared-state.ts';
import { createTries } from './tries.ts';

/**
 * Who held, quarantined, set the policy, forgot or enrolled, when and why: `audit/a-<n>`, written once, in the same
 * transaction as the act, and chained like the deployments. So there is no act without a record, and no record without
 * an act. Not prevented: the operator may rewrite everything.
 */
export interface AuditParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
  /** Ms since the epoch, by the clock of the ensemble. */
  readonly now: () => number;
  /** Distinguishes our record from another client's with the same content, if a reply is lost. */
  readonly newNonce: () => string;
}

export interface Act {
  readonly kind: AuditKind;
  readonly by: string;
  readonly reason: string;
  /** The object of the act, such as a commit or an agent. */
  readonly what: string;
}

/** Who acts, and why. */
export type Word = Pick<Act, 'by' | 'reason'>;

/** A decision: its result, what to write, and the act that this is. Null if there is nothing to write. */
export interface Decided<T> {
  readonly value: T;
  readonly operations: readonly Operation[];
  readonly act: Act | null;
}

/**
 * Reads, decides, and writes the decision together with its audit record; decides again if another client was faster.
 * Afterwards removes the oldest records, if our rights allow it.
 * @throws FleetError APP_MISSING, PUBLISH_STUCK, and what `decide` throws.
 */
export async function actAudited<T>(parts: AuditParts, decide: () => Promise<Decided<T>>): Promise<T> {
  const tries = createTries();
  for (;;) {
    const { value, operations, act } = await decide();
    if (act === null) return value;
    try {
      await parts.session.transact([...operations, ...(await auditOperations(parts, act))]);
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) throw error;
      tries.moved();
      continue;
    }
    await removeOldAudit(parts.session, parts.znodes).catch(() => {});
    return value;
  }
}

/**
 * The audit record of an act, for the act's transaction. @throws FleetError APP_MISSING in an app of gitfleet 0.1.0.
 */
export async function auditOperations(parts: AuditParts, act: Act): Promise<readonly Operation[]> {
  const { session, znodes, access, now, newNonce } = parts;
  const counter = await session.get(znodes.audit);
  if (!counter) throw appOutdated(znodes.app, znodes.audit);
  const { number, before } = await nextOf(session, znodes, counter.data);
  const record = auditRecord().parse({
    ...{ number, kind: act.kind, by: clean(act.by, 200), reason: clean(act.reason, 500), at: now() },
    ...{ what: clean(act.what, 1_000), nonce: newNonce(), chain: chainTo(before) },
  });
  return [
    { op: 'set', path: znodes.audit, data: Buffer.from(String(number)), version: counter.stat.version },
    {
      ...{ op: 'create', path: znodes.auditRecord(number), data: encodeAuditRecord(record), mode: 'persistent' },
      acl: access.of('auditRecord'),
    },
  ];
}

/** The first number with more digits than a counter may have. */
const MAX_COUNTED = 1e12;

/** Publishers may write the counter. A wrong counter must not prevent the operator's acts; `--verify` reports it. */
async function nextOf(session: Session, znodes: Znodes, counter: Buffer): Promise<{ number: number; before: Before }> {
  const text = counter.toString('utf8').trim();
  const counted = /^\d{0,12}$/.test(text) ? Number(text) : null;
  if (counted !== null && !(await session.exists(znodes.auditRecord(counted + 1))))
    return { number: counted + 1, before: await beforeOf(session, znodes, counted) };
  const taken = await numbersIn(session, znodes.audit, 'a');
  const numbers = new Set(taken);
  // Far below the largest number that `numbersIn` recognises, so that the next one is recognised too.
  let last = counted ?? taken.find((number) => number < MAX_COUNTED) ?? 0;
  while (numbers.has(last + 1)) last += 1;
  return { number: last + 1, before: await beforeOf(session, znodes, last) };
}

async function beforeOf(session: Session, znodes: Znodes, last: number): Promise<Before> {
  return last === 0 ? 'first' : bytesOf(await find(session, znodes.auditRecord(last)));
}

/** The audit records, newest first. Missing or unreadable ones are skipped. */
export async function readAudit(session: Session, znodes: Znodes): Promise<AuditRecord[]> {
  const numbers = (await numbersIn(session, znodes.audit, 'a')).slice(0, KEPT);
  const records = await Promise.all(
    numbers.map(async (number) => {
      const node = contentOf(await find(session, znodes.auditRecord(number)));
      const read = node && parseAuditRecord(node.data);
      return read && { ...read, number, at: node.stat.ctime };
    }),
  );
  return records.filter((record) => record !== null);
}
