import { FleetError } from '../../runtime/errors.ts';
import { FLAG_NAME, type FlagChange, type Flags } from '../../schemas/flags.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { ANY_VERSION, type NodeData, type Operation } from '../../zookeeper/session.ts';
import { changeFlag, type FlagsParts, readFlags } from './change-flags.ts';
import { withFlag, withMetadata } from './edit.ts';
import { isPlain } from './fractional.ts';

/*
 * Plain flags: `<directory>/<name>/enabled` holds `1` or `0`, which any ZooKeeper client can read and set. One directory
 * belongs to one app. The document stays the only truth: a flag that is plainly on or off has its node there, written in
 * the transaction that changes the flag. So a node that differs from a document of ours was set by another program
 * afterwards, and its value is adopted as a change of the flag.
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
export async function plainOperations({ session }: FlagsParts, after: Flags, name: string): Promise<Operation[]> {
  const directory = after.metadata.plain;
  if (directory === undefined) return [];
  const path = nodeOf(directory, name);
  const value = plainValue(after, name);
  const there = await session.get(path);
  if (value === null) return there ? [{ op: 'remove', path, version: there.stat.version }] : [];
  const data = Buffer.from(value);
  if (there) return [{ op: 'set', path, data, version: there.stat.version }];
  // As open or closed as the directory is: the programs that use it have rights there.
  const acl = (await session.getAcl(directory))?.acl ?? [];
  const parent = `${directory}/${name}`;
  const made: Operation = { op: 'create', path, data, mode: 'persistent', acl };
  if (await session.exists(parent)) return [made];
  return [{ op: 'create', path: parent, data: Buffer.alloc(0), mode: 'persistent', acl }, made];
}

/**
 * Takes over what other programs set in the plain directory since: each becomes a change of its flag, with a record.
 * Nothing where the document itself was written by another program last: then the document counts.
 * @returns the changes.
 */
export async function adoptPlain(parts: FlagsParts): Promise<FlagChange[]> {
  const { flags } = await readFlags(parts);
  const directory = flags.metadata.plain;
  if (directory === undefined || !(await isOurs(parts, flags))) return [];
  const names = ((await parts.session.children(directory)) ?? [])
    .filter((name) => FLAG_NAME.test(name))
    .slice(0, MAX_PLAIN);
  const changes: FlagChange[] = [];
  for (const name of names) {
    const node = await parts.session.get(nodeOf(directory, name));
    const set = node && settingOf(node);
    if (set === null || set === undefined || plainValue(flags, name) === set) continue;
    const change = await adopt(parts, name, set);
    if (change) changes.push(change);
  }
  return changes;
}

/** Anything but the two characters, with or without a line break, says nothing. */
function settingOf({ data }: NodeData): '1' | '0' | null {
  const text = data.length > 2 ? '' : data.toString('latin1').trimEnd();
  return text === '1' || text === '0' ? text : null;
}

const adopt = (parts: FlagsParts, name: string, set: '1' | '0'): Promise<FlagChange | null> =>
  changeFlag(parts, {
    flag: name,
    by: 'another ZooKeeper client',
    reason: `${name}/enabled was set to ${set}`,
    via: 'adopted',
    edit: (flags) => withFlag(flags, name, { kind: 'variant', variant: set === '1' ? 'on' : 'off' }),
  });

/** Whether our last change wrote the document: one transaction has one zxid. */
async function isOurs({ session, znodes }: FlagsParts, { metadata }: Flags): Promise<boolean> {
  const [document, record] = await Promise.all([
    session.exists(znodes.flags),
    session.exists(znodes.flagChange(metadata.version)),
  ]);
  return document !== null && record !== null && document.mzxid === record.czxid;
}

/**
 * Binds a directory to the app's flags, and shows in it those that are plainly on or off.
 * @throws FleetError FLAGS_PLAIN_TAKEN where the directory belongs to another app, or holds something else.
 */
export async function bindPlain(parts: FlagsParts, directory: string): Promise<void> {
  const { session, znodes, access } = parts;
  const { flags, version } = await readFlags(parts);
  const bound = flags.metadata.plain;
  if (bound !== undefined && bound !== directory)
    throw taken(`the flags of ${znodes.app} are shown in ${bound} already`);
  await session.ensure(directory, { acl: access.of('flags') });
  const owner = await session.get(directory);
  const holds = owner?.data.toString('utf8') ?? '';
  if (holds !== '' && holds !== znodes.app)
    throw taken(`${directory} belongs to ${FLAG_OWNER.test(holds) ? holds : 'another program'}`);
  if (bound === directory) return;
  const number = flags.metadata.version;
  await session.transact([
    { op: 'set', path: directory, data: Buffer.from(znodes.app), version: owner?.stat.version ?? ANY_VERSION },
    {
      op: 'set',
      path: znodes.flags,
      data: Buffer.from(withMetadata(flags.text, { version: number, plain: directory })),
      version,
    },
  ]);
  for (const name of flags.flags.keys()) await project(parts, name);
}

const FLAG_OWNER = /^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/;
const taken = (reason: string): FleetError => FleetError.of('FLAGS_PLAIN_TAKEN', reason);

async function project(parts: FlagsParts, name: string): Promise<void> {
  const { flags, version } = await readFlags(parts);
  const operations = await plainOperations(parts, flags, name);
  if (operations.length === 0) return;
  await parts.session.transact([{ op: 'check', path: parts.znodes.flags, version }, ...operations]).catch((error) => {
    // Another writer was faster, and wrote the node with its own change.
    if (!isCode(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) throw error;
  });
}
