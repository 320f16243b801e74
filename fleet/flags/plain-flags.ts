import { FleetError } from '../../runtime/errors.ts';
import { FLAG_NAME, type FlagChange, type Flags } from '../../schemas/flags.ts';
import { isCode } from '../../zookeeper/errors.ts';
import type { NodeData, Operation } from '../../zookeeper/session.ts';
import { createTries } from '../tries.ts';
import { changeFlag, type FlagsParts, type FlagsRead, lastChangeOf, readFlags } from './change-flags.ts';
import { withFlag, withMetadata } from './edit.ts';
import { isPlain } from './fractional.ts';
import { boundDirectory } from './plain-binding.ts';
import { aclBelow, directoryAcl } from './plain-rights.ts';

/*
 * Plain flags: `<directory>/<name>/enabled` holds `1` or `0`, which any ZooKeeper client can read and set. One directory
 * belongs to one app. The document stays the only truth: a flag that is plainly on or off has its node there, written in
 * the transaction that changes the flag. A node that another program set after the last change of its flag is adopted as
 * a change of the flag; any other node that differs is made to show the document. A node that cannot be written, read or
 * adopted stays as it is, and stops no change of a flag.
 */

/** Of the children of the directory so many are looked at. */
const MAX_PLAIN = 1_000;

/** `1`, `0`, or null for a flag that is not plainly on or off. */
function plainValue(flags: Flags, name: string): '1' | '0' | null {
  const flag = flags.flags.get(name);
  if (flag?.state !== 'ENABLED' || !isPlain(flag.targeting) || flag.defaultVariant == null) return null;
  const value = flag.variants[flag.defaultVariant];
  return typeof value === 'boolean' ? (value ? '1' : '0') : null;
}

const nodeOf = (directory: string, name: string): string => `${directory}/${name}/enabled`;

/** What the transaction that changes this flag does to its plain node. */
export async function plainOperations(parts: FlagsParts, after: Flags, name: string): Promise<Operation[]> {
  const directory = await boundDirectory(parts, after);
  if (directory === null) return [];
  return await showing(parts, after, { directory, name, there: await parts.session.get(nodeOf(directory, name)) });
}

interface PlainNode {
  readonly directory: string;
  readonly name: string;
  /** As it was read: what another program sets from then on is not written over. */
  readonly there: NodeData | null;
}

async function showing(
  { session, access }: Pick<FlagsParts, 'session' | 'access'>,
  flags: Flags,
  { directory, name, there }: PlainNode,
): Promise<Operation[]> {
  const path = nodeOf(directory, name);
  const value = plainValue(flags, name);
  if (value === null) return there ? [{ op: 'remove', path, version: there.stat.version }] : [];
  const data = Buffer.from(value);
  if (there) return [{ op: 'set', path, data, version: there.stat.version }];
  const above = await session.getAcl(directory);
  // Somebody removed the directory.
  if (above === null) return [];
  const acl = aclBelow(above.acl, access);
  const parent = `${directory}/${name}`;
  const made: Operation = { op: 'create', path, data, mode: 'persistent', acl };
  if (await session.exists(parent)) return [made];
  return [{ op: 'create', path: parent, data: Buffer.alloc(0), mode: 'persistent', acl }, made];
}

interface Settled {
  /** What other programs set, as changes of the flags. */
  readonly adopted: readonly FlagChange[];
  /** Flags whose node stays different, with why. */
  readonly left: readonly { readonly flag: string; readonly reason: FleetError }[];
}

/**
 * Makes directory and document agree: takes over what other programs set in the directory since, each as a change of its
 * flag with a record, and shows what only the document says.
 */
export async function settlePlain(parts: FlagsParts): Promise<Settled> {
  const { flags } = await readFlags(parts);
  const directory = await boundDirectory(parts, flags);
  const adopted: FlagChange[] = [];
  const left: { flag: string; reason: FleetError }[] = [];
  if (directory === null) return { adopted, left };
  const named = (await unlessRefused(parts.session.children(directory))) ?? [];
  const names = [...new Set([...flags.flags.keys(), ...named])].filter((name) => FLAG_NAME.test(name));
  const differ = await Promise.all(
    names.slice(0, MAX_PLAIN).map(async (name) => ((await differs(parts, flags, directory, name)) ? [name] : [])),
  );
  for (const flag of differ.flat()) {
    try {
      const change = await settle(parts, flag);
      if (change) adopted.push(change);
    } catch (error) {
      if (!(error instanceof FleetError) || !STAYS.includes(error.code)) throw error;
      left.push({ flag, reason: error });
    }
  }
  return { adopted, left };
}

/** What another program made so that a flag has no room for it, or that we may not change. */
const STAYS: readonly string[] = [
  ...['FLAG_RULE', 'FLAG_VARIANT', 'FLAGS_FULL'],
  ...['NO_AUTH', 'NOT_EMPTY', 'INVALID_ACL', 'NO_CHILDREN_FOR_EPHEMERALS'],
];

/** One that may not be read is looked at again when its own flag is changed. */
async function differs({ session }: FlagsParts, flags: Flags, directory: string, name: string): Promise<boolean> {
  const node = await unlessRefused(session.get(nodeOf(directory, name)));
  if (node === undefined) return false;
  const set = node && settingOf(node);
  return set === null ? plainValue(flags, name) !== null : set !== plainValue(flags, name);
}

async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  return await answer.catch((error: unknown) => {
    if (isCode(error, 'NO_AUTH')) return undefined;
    throw error;
  });
}

/** Anything but the two characters, with or without a line break, says nothing. */
function settingOf({ data }: NodeData): '1' | '0' | null {
  const text = data.length > 2 ? '' : data.toString('latin1').trimEnd();
  return text === '1' || text === '0' ? text : null;
}

/** Both ways name the document's version and the node's as they were judged: neither undoes a change made meanwhile. */
async function settle(parts: FlagsParts, name: string): Promise<FlagChange | null> {
  let operations: readonly Operation[] = [];
  const change = await changeFlag(parts, {
    flag: name,
    by: 'another ZooKeeper client',
    reason: `${name}/enabled was set`,
    via: 'adopted',
    edit: async (flags, read) => {
      const directory = await boundDirectory(parts, flags);
      operations = [];
      if (directory === null) return flags.text;
      const path = nodeOf(directory, name);
      const node = await parts.session.get(path);
      const set = node && settingOf(node);
      if (set === plainValue(flags, name)) return flags.text;
      if (node && set !== null && (await isNewer(parts, read, node, name))) {
        operations = [{ op: 'check', path, version: node.stat.version }];
        return withFlag(flags, name, { kind: 'variant', variant: variantFor(flags, name, set === '1') });
      }
      const shown = await showing(parts, flags, { directory, name, there: node });
      await show(parts, read, shown);
      return flags.text;
    },
    also: () => operations,
  });
  return change;
}

/** `on` and `off`, unless another tool named the flag's two variants otherwise. */
function variantFor(flags: Flags, name: string, value: boolean): string {
  const variants = flags.flags.get(name)?.variants ?? {};
  const usual = value ? 'on' : 'off';
  if (Object.hasOwn(variants, usual)) return usual;
  return Object.keys(variants).find((each) => variants[each] === value) ?? usual;
}

async function show({ session, znodes }: FlagsParts, { version }: FlagsRead, shown: Operation[]): Promise<void> {
  if (shown.length === 0) return;
  await session.transact([{ op: 'check', path: znodes.flags, version }, ...shown]).catch((error: unknown) => {
    // Somebody was faster: the next look judges again.
    if (!isCode(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) throw error;
  });
}

/** Whether another program set the node after the last change of its flag. */
async function isNewer(parts: FlagsParts, { flags, mzxid }: FlagsRead, node: NodeData, name: string): Promise<boolean> {
  if (node.stat.mzxid > mzxid) return true;
  // A document that another program wrote last counts as a change of all flags.
  if (!(await isOurs(parts, flags, mzxid))) return false;
  const last = await lastChangeOf(parts, name, node.stat.mzxid);
  return last === 'before' || (last === 'unknown' && !flags.flags.has(name));
}

/** Whether we wrote the document last, with a change or when the directory was bound: one transaction has one zxid. */
async function isOurs({ session, znodes }: FlagsParts, { metadata }: Flags, mzxid: bigint): Promise<boolean> {
  const [record, directory] = await Promise.all([
    session.exists(znodes.flagChange(metadata.version)),
    session.exists(metadata.plain as string),
  ]);
  return record?.czxid === mzxid || directory?.mzxid === mzxid;
}

/**
 * Binds a directory to the app's flags, and shows in it those that are plainly on or off, in one transaction.
 * @throws FleetError FLAGS_PLAIN_TAKEN where the directory belongs to another app, or holds something else.
 */
export async function bindPlain(parts: FlagsParts, directory: string): Promise<void> {
  const { session, znodes, access } = parts;
  await session.ensure(directory, { acl: directoryAcl(access) });
  const tries = createTries();
  for (;;) {
    const [read, owner] = [await readFlags(parts), await session.get(directory)];
    if (isBound(znodes.app, read.flags, directory, owner)) return;
    const text = withMetadata(read.flags.text, { version: read.flags.metadata.version, plain: directory });
    const bound = { ...read.flags, metadata: { ...read.flags.metadata, plain: directory } };
    const shown: Operation[] = [];
    for (const name of bound.flags.keys()) {
      const there = await session.get(nodeOf(directory, name));
      shown.push(...(await showing(parts, bound, { directory, name, there })));
    }
    try {
      await session.transact([
        { op: 'set', path: directory, data: Buffer.from(znodes.app), version: owner?.stat.version ?? 0 },
        { op: 'set', path: znodes.flags, data: Buffer.from(text), version: read.version },
        ...shown,
      ]);
      return;
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) throw error;
      tries.moved();
    }
  }
}

/** @throws FleetError FLAGS_PLAIN_TAKEN */
function isBound(app: string, { metadata }: Flags, directory: string, owner: NodeData | null): boolean {
  const { plain } = metadata;
  if (plain !== undefined && plain !== directory) throw taken(`the flags of ${app} are shown in ${plain} already`);
  const holds = owner?.data.toString('utf8') ?? '';
  if (holds !== '' && holds !== app)
    throw taken(`${directory} belongs to ${FLAG_OWNER.test(holds) ? holds : 'another program'}`);
  return plain === directory && holds === app;
}

const FLAG_OWNER = /^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/;
const taken = (reason: string): FleetError => FleetError.of('FLAGS_PLAIN_TAKEN', reason);
