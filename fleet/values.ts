import { FleetError } from '../runtime/errors.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ANY_VERSION, type NodeStat, type Session } from '../zookeeper/session.ts';

/*
 * Values: znodes outside our own trees, with what any program wrote into them. `gitfleet kv` reads and writes them; what
 * belongs to gitfleet, to a registry or to ZooKeeper has verbs of its own and is refused here.
 */

/** ZooKeeper's own bound is 1 MiB for a packet; a value is small. */
export const MAX_VALUE_BYTES = 524_288;
const PATH = /^(\/[^/\0-\x1f\x7f-\x9f]{1,255}){1,32}$/;
/** Trees with rules of their own, by their first segment. */
const RESERVED = ['zookeeper', 'service', 'service-fleet'];
/** What every app znode has below it. */
const APP_CHILDREN = ['config', 'deployments', 'rollout'];

/** A path that a value may have. @throws FleetError USAGE, VALUE_RESERVED */
export function checkValuePath(path: string): void {
  const segments = path.split('/').slice(1);
  if (!PATH.test(path) || segments.some((each) => each === '.' || each === '..')) {
    throw FleetError.of('USAGE', `${JSON.stringify(path)} is no path of a znode`, 'such as: /servers/cache/c6/host');
  }
  if (RESERVED.includes(segments[0] as string)) throw reserved(path, `/${segments[0]}`);
}

/**
 * Refuses what lies in an app, or in a directory of plain flags.
 * @param plain the directory of this app's plain flags; undefined: it has none.
 * @throws FleetError VALUE_RESERVED
 */
export async function refuseOurs(session: Session, path: string, plain: string | undefined): Promise<void> {
  const within = path
    .split('/')
    .slice(1)
    .map((_, at, all) => `/${all.slice(0, at + 1).join('/')}`);
  if (plain !== undefined && within.includes(plain)) throw reserved(path, plain);
  for (const above of within) {
    const found = await Promise.all(APP_CHILDREN.map((child) => session.exists(`${above}/${child}`)));
    if (found.every((stat) => stat !== null)) throw reserved(path, above);
  }
}

const reserved = (path: string, of: string): FleetError => FleetError.of('VALUE_RESERVED', `${path} lies in ${of}`);

interface PutRequest {
  readonly path: string;
  readonly data: Buffer;
  /** The version that was read; null: the value must be new, unless `force`. */
  readonly ifVersion: number | null;
  readonly force: boolean;
}

/**
 * Writes a value and makes the parents that are missing.
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

/** Removes one value; one with children only where `force` removes them too. @throws FleetError VALUE_MISSING, VALUE_EXISTS */
export async function removeValue(session: Session, path: string, force: boolean): Promise<void> {
  if (force) {
    if (!(await session.exists(path))) throw missing(path);
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
