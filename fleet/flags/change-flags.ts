import { FleetError } from '../../runtime/errors.ts';
import { clean } from '../../runtime/safe-text.ts';
import {
  type Flag,
  type FlagChange,
  type Flags,
  flagChange,
  MAX_DEFINITION_BYTES,
  MAX_FLAGS_BYTES,
  parseFlags,
} from '../../schemas/flags.ts';
import { fromJson, toJson } from '../../schemas/text/lenient-json.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { isCode, type ZooKeeperError } from '../../zookeeper/errors.ts';
import type { Operation, Session } from '../../zookeeper/session.ts';
import type { Access } from '../access.ts';
import { createTries } from '../tries.ts';
import { withMetadata } from './edit.ts';

export interface FlagsParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
  readonly now: () => number;
}

export interface FlagsRead {
  readonly flags: Flags;
  /** Of the znode, for a write. */
  readonly version: number;
  /** Of the znode's last write. */
  readonly mzxid: bigint;
}

/** @throws FleetError FLAGS_MISSING where the app has none yet, FLAGS_UNREADABLE where it holds something else. */
export async function readFlags({ session, znodes }: Pick<FlagsParts, 'session' | 'znodes'>): Promise<FlagsRead> {
  const node = await session.get(znodes.flags);
  if (!node) throw FleetError.of('FLAGS_MISSING', `${znodes.app} has no flags yet`);
  const { value, unreadable } = parseFlags(node.data);
  if (unreadable !== null) throw FleetError.of('FLAGS_UNREADABLE', unreadable);
  return { flags: value, version: node.stat.version, mzxid: node.stat.mzxid };
}

export interface ChangeRequest {
  readonly flag: string;
  readonly by: string;
  readonly reason: string;
  readonly via: FlagChange['via'];
  /** The new text of the document. Called again after each other writer's change; throws what forbids it. */
  readonly edit: (flags: Flags, read: FlagsRead) => string | Promise<string>;
  /** What the same transaction also does, such as to write the plain znode of the flag. */
  readonly also?: (after: Flags) => readonly Operation[] | Promise<readonly Operation[]>;
  /** Given: where ZooKeeper refuses `also` for good, this is told why, and the change is made without it. */
  readonly withoutAlso?: (refusal: ZooKeeperError) => void;
}

/**
 * Changes one flag: sets `flags` at the version read and creates `flag-changes/f-<n>`, in one transaction. It reads and
 * writes nothing of code: no hold, no quarantine, no deployment stands in the way of a kill switch.
 *
 * @returns the record; null where the document says so already.
 * @throws FleetError what `edit` throws; FLAGS_FULL; PUBLISH_STUCK where other writers were faster at each try.
 */
export async function changeFlag(parts: FlagsParts, request: ChangeRequest): Promise<FlagChange | null> {
  const tries = createTries();
  let also = request.also;
  for (;;) {
    const read = await readFlags(parts);
    const text = await request.edit(read.flags, read);
    if (text === read.flags.text) return null;
    const number = await nextNumber(parts, read.flags);
    const { record, data, after } = changed(read.flags, text, number, request, parts.now());
    try {
      await parts.session.transact([...changeOf(parts, read, record, data), ...((await also?.(after)) ?? [])]);
      return record;
    } catch (error) {
      if (isCode(error, 'CONNECTION_LOSS', 'DEADLINE') && error.outcome === 'unknown') {
        if (await took(parts, record)) return record;
        tries.lost(error);
      } else if (isRace(error)) tries.moved();
      else if (also && request.withoutAlso && isRefusedAlso(error)) {
        request.withoutAlso(error);
        also = undefined;
      } else throw error;
    }
  }
}

const changeOf = ({ znodes, access }: FlagsParts, { version }: FlagsRead, record: FlagChange, data: Buffer) =>
  [
    { op: 'set', path: znodes.flags, data, version },
    {
      ...{ op: 'create', path: znodes.flagChange(record.number), data: toJson(flagChange(), record) },
      ...{ mode: 'persistent', acl: access.of('flagChange') },
    },
  ] as const satisfies Operation[];
/** Operations of the change itself; those of `also` come after them. */
const OWN = 2;

/** A node that `also` counted on may go at any time; our own go only with the app. */
const isRace = (error: unknown): boolean =>
  isCode(error, 'BAD_VERSION', 'NODE_EXISTS') || (isCode(error, 'NO_NODE') && (error.failedAt ?? 0) >= OWN);

/** In the transaction, or when `also` only looked. */
const isRefusedAlso = (error: unknown): error is ZooKeeperError =>
  isCode(error, 'NO_AUTH', 'NOT_EMPTY', 'INVALID_ACL', 'NO_CHILDREN_FOR_EPHEMERALS') && (error.failedAt ?? OWN) >= OWN;

/** The reply was lost: after a quorum write a read on this session shows our record if the transaction took place. */
async function took({ session, znodes }: FlagsParts, record: FlagChange): Promise<boolean> {
  await session.catchUp(znodes.flags);
  const node = await session.get(znodes.flagChange(record.number));
  const found = node && fromJson(flagChange(), node.data);
  return JSON.stringify(found) === JSON.stringify(record);
}

function changed(flags: Flags, text: string, number: number, request: ChangeRequest, at: number) {
  const { flag } = request;
  const [by, reason] = [clean(request.by, 200), clean(request.reason, 500)];
  const data = Buffer.from(withMetadata(text, { version: number, by, reason, at }));
  if (data.length > MAX_FLAGS_BYTES) {
    throw FleetError.of(
      'FLAGS_FULL',
      `the flags of an app have room for ${MAX_FLAGS_BYTES} bytes; this would be ${data.length}`,
    );
  }
  const after = parseFlags(data);
  if (after.unreadable !== null) throw FleetError.of('FLAGS_UNREADABLE', after.unreadable);
  const [before, now] = [definitionOf(flags.flags.get(flag)), definitionOf(after.value.flags.get(flag))];
  const kept = { before: ifKept(before), after: ifKept(now) };
  const omitted = [['before', before] as const, ['after', now] as const].filter(([, text]) => ifKept(text) !== text);
  const record: FlagChange = {
    ...{ number, flag, ...kept, omitted: omitted.map(([side]) => side) },
    ...{ by, reason, at, via: request.via },
  };
  return { record, data, after: after.value };
}

/** A flag as the records of its changes show it. */
export const definitionOf = (flag: Flag | undefined): string | null =>
  flag === undefined ? null : JSON.stringify(flag);

/** Another tool's rule may be of any size, and must not stop the kill switch. */
const ifKept = (definition: string | null): string | null =>
  definition !== null && Buffer.byteLength(definition) > MAX_DEFINITION_BYTES ? null : definition;

/** One more than the document says; where records go beyond it, as after a document that was put back, than those. */
async function nextNumber({ session, znodes }: FlagsParts, { metadata }: Flags): Promise<number> {
  const next = metadata.version + 1;
  if (!(await session.exists(znodes.flagChange(next)))) return next;
  const [newest = 0] = await numbersOf(session, znodes);
  return Math.max(next, newest + 1);
}

/** The newest first. */
async function numbersOf(session: Session, znodes: Znodes): Promise<number[]> {
  return ((await session.children(znodes.flagChanges)) ?? [])
    .map((name) => Number(/^f-([1-9]\d{0,14})$/.exec(name)?.[1]))
    .filter((number) => Number.isSafeInteger(number))
    .sort((a, b) => b - a);
}

/** The newest changes first, at most `most`; what is missing or unreadable is skipped. */
export async function readFlagChanges(
  { session, znodes }: Pick<FlagsParts, 'session' | 'znodes'>,
  most: number,
): Promise<FlagChange[]> {
  const numbers = (await numbersOf(session, znodes)).slice(0, most);
  const records = await Promise.all(
    numbers.map(async (number) => {
      const node = await session.get(znodes.flagChange(number)).catch((error: unknown) => {
        // Made with a credential file of before there were flaggers, whose access lists do not name them.
        if (isCode(error, 'NO_AUTH')) return null;
        throw error;
      });
      return node && fromJson(flagChange(), node.data);
    }),
  );
  return records.filter((record) => record !== null);
}

/**
 * Whether a flag was changed last before a zxid or `since` then, as the records show it. `unknown`: no record names it,
 * and they do not go back so far.
 */
export async function lastChangeOf(
  { session, znodes }: Pick<FlagsParts, 'session' | 'znodes'>,
  flag: string,
  zxid: bigint,
): Promise<'before' | 'since' | 'unknown'> {
  for (const number of await numbersOf(session, znodes)) {
    const node = await session.get(znodes.flagChange(number));
    if (!node) continue;
    if (node.stat.czxid < zxid) return 'before';
    if (fromJson(flagChange(), node.data)?.flag === flag) return 'since';
  }
  return 'unknown';
}

/** Records kept below `flag-changes`. */
const KEPT = 200;
/** Removes at one go no more than this; what is left goes with the next changes. */
const MAX_FORGOTTEN = 50;

/** Removes the records beyond the newest ones; gone already is fine. */
export async function forgetOldestChanges({ session, znodes }: Pick<FlagsParts, 'session' | 'znodes'>): Promise<void> {
  const tooMany = (await numbersOf(session, znodes)).slice(KEPT).slice(-MAX_FORGOTTEN);
  await Promise.all(
    tooMany.map(async (number) => {
      await session.remove(znodes.flagChange(number), -1).catch((error: unknown) => {
        if (!isCode(error, 'NO_NODE')) throw error;
      });
    }),
  );
}
