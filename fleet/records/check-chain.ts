import { visible } from '../../runtime/safe-text.ts';
import { sha256 } from '../../runtime/sha256.ts';
import type { AclEntry, NodeStat } from '../../zookeeper/session.ts';
import { KEPT } from '../numbered.ts';

/**
 * Pure: checks whether numbered records are the original ones, in the original order. Finds each record that was
 * changed, removed, added later or never published, if a later record or the counter is unchanged. Finds nothing if the
 * whole chain was rewritten with the operator's credential; for that, compare the head with one that was noted
 * elsewhere (`noted`).
 */
export interface Chain {
  readonly prefix: 'd' | 'a';
  /** The number in the parent; null: it contains no number. */
  readonly counter: number | null;
  /** Lowest number first. */
  readonly records: readonly RecordSeen[];
  /** Every client may write the whole app, so the rights of single records are not checked. */
  readonly open: boolean;
}

export interface RecordSeen {
  readonly number: number;
  /** Null: we may not read it. */
  readonly data: Buffer | null;
  /** The parsed record; null: the content is no record. */
  readonly says: { readonly number: number; readonly chain: string | null } | null;
  readonly stat: Pick<NodeStat, 'czxid' | 'version'> | null;
  readonly acl: readonly AclEntry[];
}

/** A head that a person noted earlier. */
export interface Noted {
  readonly prefix: 'd' | 'a';
  readonly number: number;
  readonly hash: string;
}

export interface ChainBreak {
  readonly number: number;
  readonly what: string;
}

export interface Checked {
  readonly prefix: 'd' | 'a';
  readonly first: number | null;
  readonly last: number | null;
  /** The hash of the newest record, which the next one will contain. */
  readonly head: string | null;
  readonly open: boolean;
  /** By number; empty: the chain is whole. */
  readonly findings: readonly ChainBreak[];
}

export function checkChain(chain: Chain, noted: Noted | null): Checked {
  const { prefix, records, open } = chain;
  const newest = records.at(-1);
  const findings = [
    ...records.flatMap((record) => alone(chain, record)),
    ...records.slice(1).flatMap((record, at) => behind(prefix, records[at] as RecordSeen, record)),
    ...unchained(prefix, records),
    ...ends(chain),
    ...(noted?.prefix === prefix ? compared(noted, records) : []),
  ];
  return {
    ...{ prefix, open, first: records[0]?.number ?? null, last: newest?.number ?? null },
    head: newest?.data ? sha256(newest.data) : null,
    findings: findings.toSorted((a, b) => a.number - b.number),
  };
}

/** What a single record reveals without its neighbours. */
function alone({ prefix, open }: Chain, { number, data, says, stat, acl }: RecordSeen): ChainBreak[] {
  const name = `${prefix}-${number}`;
  const writers = acl.filter((entry) => /[wa]/.test(entry.permissions) && !isOperator(entry));
  const wrong = [
    data === null ? `${name} cannot be read with this credential` : '',
    data !== null && says === null ? `${name} holds no record` : '',
    says !== null && says.number !== number ? `${name} says that it is ${prefix}-${says.number}` : '',
    says !== null && says.chain !== null && (stat?.version ?? 0) > 0
      ? `${name} was written again after its creation`
      : '',
    !open && writers.length > 0 ? `${name} may be rewritten by ${namesOf(writers)}` : '',
  ];
  return wrong.filter((what) => what !== '').map((what) => ({ number, what }));
}

const isOperator = ({ scheme, id }: AclEntry): boolean => scheme === 'digest' && id.startsWith('operator:');

const namesOf = (entries: readonly AclEntry[]): string =>
  [...new Set(entries.map(({ id }) => visible(id.split(':')[0] ?? '', 60)))].join(', ');

/** What two consecutive records reveal. */
function behind(prefix: string, before: RecordSeen, record: RecordSeen): ChainBreak[] {
  const [name, beforeName] = [`${prefix}-${record.number}`, `${prefix}-${before.number}`];
  const late = before.stat && record.stat && before.stat.czxid > record.stat.czxid;
  const order = late ? [{ number: before.number, what: `${beforeName} was created after ${name}` }] : [];
  if (record.number !== before.number + 1) return [...order, gap(prefix, before.number + 1, record.number - 1)];
  const carried = record.says?.chain ?? null;
  if (carried === null || before.data === null) return order;
  const is = `sha256:${sha256(before.data)}`;
  if (carried === is) return order;
  const differs = carried.startsWith('sha256:')
    ? `${beforeName} is not what ${name} was written after: its sha256 is ${is.slice(7)}, ${name} carries ${visible(carried.slice(7), 64)}`
    : `${beforeName} is there, and ${name} says that it was ${JSON.stringify(visible(carried, 40))}`;
  return [...order, { number: before.number, what: differs }];
}

const gap = (prefix: string, from: number, to: number, why = ''): ChainBreak => ({
  number: from,
  what: from === to ? `${prefix}-${from} is missing${why}` : `${prefix}-${from} .. ${prefix}-${to} are missing${why}`,
});

/** Records of gitfleet 0.1.0 have no hash. After the first record with a hash, every record must have one. */
function unchained(prefix: string, records: readonly RecordSeen[]): ChainBreak[] {
  const began = records.findIndex(({ says }) => says !== null && says.chain !== null);
  if (began < 0) return [];
  return records
    .slice(began)
    .filter(({ says }) => says !== null && says.chain === null)
    .map(({ number }) => ({ number, what: `${prefix}-${number} carries no hash of the record before it` }));
}

/** What the counter reveals about the oldest and the newest record. */
function ends({ prefix, counter, records }: Chain): ChainBreak[] {
  const [first, last] = [records[0]?.number ?? 0, records.at(-1)?.number ?? 0];
  if (counter === null) return [{ number: last, what: 'the counter holds no number' }];
  const beyond = records
    .filter(({ number }) => number > counter)
    .map(({ number }) => ({ number, what: `${prefix}-${number} is beyond the counter, which says ${counter}` }));
  const due = Math.max(1, counter - KEPT + 1);
  const early = first > due ? [gap(prefix, due, first - 1, `, and the newest ${KEPT} are kept`)] : [];
  const missing = counter > last ? [gap(prefix, last + 1, counter, `: the counter says ${counter}`)] : [];
  return [...beyond, ...(last === 0 ? [] : early), ...missing];
}

function compared({ prefix, number, hash }: Noted, records: readonly RecordSeen[]): ChainBreak[] {
  const name = `${prefix}-${number}`;
  const found = records.find((record) => record.number === number);
  if (!found?.data) return [{ number, what: `${name}, which was noted, is not there to compare` }];
  const is = sha256(found.data);
  return is === hash ? [] : [{ number, what: `${name} is not what was noted: its sha256 is ${is}` }];
}
