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
import { isCode } from '../../zookeeper/errors.ts';
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
}

/** @throws FleetError FLAGS_MISSING where the app has none yet, FLAGS_UNREADABLE where it holds something else. */
export async function readFlags({ session, znodes }: Pick<FlagsParts, 'session' | 'znodes'>): Promise<FlagsRead> {
  const node = await session.get(znodes.flags);
  if (!node) throw FleetError.of('FLAGS_MISSING', `${znodes.app} has no flags yet`);
  const { value, unreadable } = parseFlags(node.data);
  if (unreadable !== null) throw FleetError.of('FLAGS_UNREADABLE', unreadable);
  return { flags: value, version: node.stat.version };
}

export interface ChangeRequest {
  readonly flag: string;
  readonly by: string;
  readonly reason: string;
  readonly via: FlagChange['via'];
  /** The new text of the document. Called again after each other writer's change; throws what forbids it. */
  readonly edit: (flags: Flags) => string;
  /** What the same transaction also writes, such as the plain znode of the flag. */
  readonly also?: (after: Flags) => readonly Operation[] | Promise<readonly Operation[]>;
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
  for (;;) {
    const { flags, version } = await readFlags(parts);
    const text = request.edit(flags);
    if (text === flags.text) return null;
    const number = await nextNumber(parts, flags);
    const { record, data, after } = changed(flags, text, number, request, parts.now());
    const operations: Operation[] = [
      { op: 'set', path: parts.znodes.flags, data, version },
      {
        ...{ op: 'create', path: parts.znodes.flagChange(number), data: toJson(flagChange(), record) },
        ...{ mode: 'persistent', acl: parts.access.of('flagChange') },
      },
      ...((await request.also?.(after)) ?? []),
    ];
    try {
      await parts.session.transact(operations);
      return record;
    } catch (error) {
      if (isCode(error, 'BAD_VERSION', 'NODE_EXISTS')) tries.moved();
      else if (isCode(error, 'CONNECTION_LOSS', 'DEADLINE') && error.outcome === 'unknown') {
        if (await took(parts, record)) return record;
        tries.lost(error);
      } else throw error;
    }
  }
}

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
  const definition = { before: definitionOf(flags.flags.get(flag)), after: definitionOf(after.value.flags.get(flag)) };
  const record: FlagChange = { number, flag, ...definition, by, reason, at, via: request.via };
  return { record, data, after: after.value };
}

function definitionOf(flag: Flag | undefined): string | null {
  if (flag === undefined) return null;
  const text = JSON.stringify(flag);
  if (Buffer.byteLength(text) <= MAX_DEFINITION_BYTES) return text;
  throw FleetError.of('FLAGS_FULL', `one flag has room for ${MAX_DEFINITION_BYTES} bytes`);
}

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
      const node = await session.get(znodes.flagChange(number));
      return node && fromJson(flagChange(), node.data);
    }),
  );
  return records.filter((record) => record !== null);
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
