import { FleetError } from '../runtime/errors.ts';
import { parseFlags } from '../schemas/flags.ts';
import { APP_ZNODE, znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { problemOfPath } from '../zookeeper/paths.ts';
import { ANY_VERSION, type NodeStat, type Session } from '../zookeeper/session.ts';

/*
 * Values: znodes outside our own trees, with the content of any program. `gitfleet kv` reads and writes them. Znodes of
 * gitfleet, of a registry or of ZooKeeper have their own verbs and are refused here.
 */

/** ZooKeeper's own limit is 1 MiB per packet; values are meant to be small. */
export const MAX_VALUE_BYTES = 524_288;
const MAX_SEGMENTS = 32;
const MAX_SEGMENT_LENGTH = 255;
/** The first segments of trees with their own rules. */
const RESERVED = ['zookeeper', 'service', 'service-fleet'];
/** Children that every app znode has. */
const APP_CHILDREN = ['config', 'deployments', 'rollout'];

/** Checks that a value may have this path. @throws FleetError ZNODE, ZNODE_RESERVED */
export function checkValuePath(path: string): void {
  const segments = path.split('/').slice(1);
  const isLong = segments.length > MAX_SEGMENTS || segments.some((each) => each.length > MAX_SEGMENT_LENGTH);
  const problem = path === '/' ? 'is the root' : (problemOfPath(path) ?? (isLong ? 'is too long' : undefined));
  if (problem) throw FleetError.of('ZNODE', `the znode ${JSON.stringify(path)} ${problem}`);
  if (RESERVED.includes(segments[0] as string)) throw reserved(path, `/${segments[0]}`);
}

/** Checks that a value may be written. @throws FleetError USAGE */
export function checkValueSize(data: Buffer): void {
  if (data.length <= MAX_VALUE_BYTES) return;
  throw FleetError.of('USAGE', `a value has at most ${MAX_VALUE_BYTES} bytes`, 'keep large files in git');
}

/** Checks that a value may be written at this path: it belongs to no app, registry or directory of plain flags. */
export async function checkWrittenPath(session: Session, path: string): Promise<void> {
  checkValuePath(path);
  await refuseOurs(session, path);
}

/** The nodes on the way to a path, ending with the path itself. */
const onTheWay = (path: string): string[] =>
  path
    .split('/')
    .slice(1)
    .map((_, at, all) => `/${all.slice(0, at + 1).join('/')}`);

/** Refuses a path in an app, or in any app's directory of plain flags. @throws FleetError ZNODE_RESERVED */
export async function refuseOurs(session: Session, path: string): Promise<void> {
  await refuseInApp(session, path);
  for (const above of onTheWay(path)) if (await isPlainDirectory(session, above)) throw reserved(path, above);
}

/** Refuses a path that is an app or in one. @throws FleetError ZNODE_RESERVED */
export async function refuseInApp(session: Session, path: string): Promise<void> {
  for (const above of onTheWay(path)) {
    const found = await Promise.all(APP_CHILDREN.map((child) => session.exists(`${above}/${child}`)));
    if (found.every((stat) => stat !== null)) throw reserved(path, above);
  }
}

/** The maximum number of nodes to check, and to remove, below a value. */
const MAX_BELOW = 10_000;

/**
 * Refuses a path that contains an app or, unless `butFlags`, a directory of plain flags.
 * @throws FleetError ZNODE_RESERVED; VALUE_EXISTS if there are too many nodes below it to check.
 */
export async function refuseAbove(session: Session, path: string, butFlags = false): Promise<void> {
  const open = [path];
  for (let looked = 0; open.length > 0; looked++) {
    if (looked === MAX_BELOW) {
      const reason = `${path} has more than ${MAX_BELOW} nodes below it`;
      throw FleetError.of('VALUE_EXISTS', reason, 'remove them in parts');
    }
    const at = open.pop() as string;
    const names = (await session.children(at)) ?? [];
    const isApp = APP_CHILDREN.every((child) => names.includes(child));
    if (isApp || (!butFlags && (await isPlainDirectory(session, at))))
      throw FleetError.of('ZNODE_RESERVED', `${at} lies in ${path}`);
    open.push(...names.map((name) => `${at}/${name}`));
  }
}

/** Whether the node names an app whose flags name this node. Flags that we may not read count as naming it. */
async function isPlainDirectory(session: Session, path: string): Promise<boolean> {
  const app = (await unlessRefused(session.get(path)))?.data.toString('utf8') ?? '';
  if (!APP_ZNODE.test(app)) return false;
  const flags = await unlessRefused(session.get(znodes(app).flags));
  return flags === undefined || (flags !== null && parseFlags(flags.data).value.metadata.plain === path);
}

async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  return await answer.catch((error: unknown) => {
    if (isCode(error, 'NO_AUTH')) return undefined;
    throw error;
  });
}

const reserved = (path: string, of: string): FleetError => FleetError.of('ZNODE_RESERVED', `${path} lies in ${of}`);

interface PutRequest {
  readonly path: string;
  readonly data: Buffer;
  /** The version that was read; null: the value must not exist, unless `force` is set. */
  readonly ifVersion: number | null;
  readonly force: boolean;
}

/**
 * Writes a value and creates its missing parents.
 * @returns its version, and whether it is new.
 * @throws FleetError VALUE_EXISTS, VALUE_CHANGED, VALUE_MISSING
 */
export async function putValue(
  session: Session,
  { path, data, ifVersion, force }: PutRequest,
): Promise<{ readonly version: number; readonly created: boolean }> {
  if (ifVersion === null) {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (parent !== '') await session.ensure(parent);
    try {
      await session.create(path, data, 'persistent');
      return { version: 0, created: true };
    } catch (error) {
      if (!isCode(error, 'NODE_EXISTS')) throw error;
      if (!force) throw FleetError.of('VALUE_EXISTS', `${path} exists`);
    }
  }
  return { version: (await setValue(session, path, data, ifVersion ?? ANY_VERSION)).version, created: false };
}

async function setValue(session: Session, path: string, data: Buffer, version: number): Promise<NodeStat> {
  try {
    return await session.set(path, data, version);
  } catch (error) {
    if (isCode(error, 'NO_NODE')) throw missing(path);
    if (isCode(error, 'BAD_VERSION'))
      throw FleetError.of('VALUE_CHANGED', `${path} is not at version ${version} any more`);
    throw error;
  }
}

/**
 * Removes one value; its children only with `force`, otherwise it must have none.
 * @throws FleetError VALUE_MISSING; VALUE_EXISTS; ZNODE_RESERVED if something of ours is below it.
 */
export async function removeValue(session: Session, path: string, force: boolean): Promise<void> {
  if (force) {
    if (!(await session.exists(path))) throw missing(path);
    await refuseAbove(session, path);
    return await session.removeTree(path);
  }
  try {
    await session.remove(path, ANY_VERSION);
  } catch (error) {
    if (isCode(error, 'NO_NODE')) throw missing(path);
    if (isCode(error, 'NOT_EMPTY'))
      throw FleetError.of('VALUE_EXISTS', `${path} has children`, 'give --force to remove them too');
    throw error;
  }
}

export const missing = (path: string): FleetError => FleetError.of('VALUE_MISSING', `there is no ${path}`);
