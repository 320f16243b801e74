import { initialZnodes, type Znodes } from '../schemas/znodes.ts';
import { isCode, type ZooKeeperError } from '../zookeeper/errors.ts';
import type { AclEntry, CallOptions, Session } from '../zookeeper/session.ts';
import { type Access, isOpen, LATER_ROLES } from './access.ts';

/** How the rights of one znode differ from those that `gitfleet init` gives. */
interface WrongRights {
  readonly path: string;
  /** `open`: everybody may change it. `differs`: somebody gave it other rights. `missing`: there is no such znode. */
  readonly how: 'open' | 'differs' | 'missing';
}

/** Of each kind of children this many are looked at: what opened one opened its neighbours. */
const MAX_CHILDREN = 200;

/**
 * Walks the tree of an app and compares its rights with the table of access.ts; below the lists (records, outcomes, permits,
 * presences, reports) it looks for open ones only, since agents add an entry of their own there. Reads only.
 */
export async function wrongRights(session: Session, znodes: Znodes, access: Access): Promise<WrongRights[]> {
  const own = await Promise.all(
    initialZnodes(znodes.app).map(async ([path, kind]): Promise<WrongRights | null> => {
      const found = await aclOf(session, path);
      if (found === null) return { path, how: 'missing' };
      if (isOpen(found) && !isOpen(access.of(kind))) return { path, how: 'open' };
      return sameRights(found, access.of(kind)) ? null : { path, how: 'differs' };
    }),
  );
  const lists = [znodes.deployments, znodes.outcomes, znodes.audit, znodes.permits, znodes.online];
  lists.push(znodes.agents, znodes.flagChanges);
  const below = isOpen(access.of('app')) ? [] : await Promise.all(lists.map((list) => openBelow(session, list)));
  return [...own.filter((wrong) => wrong !== null), ...below.flat()];
}

async function openBelow(session: Session, parent: string): Promise<WrongRights[]> {
  const names = ((await session.children(parent)) ?? []).slice(0, MAX_CHILDREN);
  const found = await Promise.all(
    names.map(async (name): Promise<WrongRights | null> => {
      const path = `${parent}/${name}`;
      const acl = await aclOf(session, path);
      return acl && isOpen(acl) ? { path, how: 'open' } : null;
    }),
  );
  return found.filter((wrong) => wrong !== null);
}

/** Null where there is no such node. What we may not even read is not open, and nothing to compare. */
async function aclOf(session: Session, path: string): Promise<readonly AclEntry[] | null> {
  try {
    return (await session.getAcl(path))?.acl ?? null;
  } catch (error) {
    if (isCode(error, 'NO_AUTH')) return [];
    throw error;
  }
}

/** No version of a znode is ever this one, so the write is refused; why it is says whether we may write. */
const NO_VERSION = 2 ** 31 - 1;

/**
 * Why our credential may not publish, found out without writing anything; null: it may.
 * @throws ZooKeeperError of other kinds.
 */
export async function publishRefusal(
  session: Session,
  znodes: Znodes,
  options?: CallOptions,
): Promise<ZooKeeperError | null> {
  try {
    await session.set(znodes.config, Buffer.alloc(0), NO_VERSION, options);
  } catch (error) {
    if (isCode(error, 'NO_AUTH')) return error;
    if (!isCode(error, 'BAD_VERSION')) throw error;
  }
  return null;
}

/**
 * Servers show the hash of a credential only to who may administer the node; to others it reads `user:x`. A role that our
 * credential file is too old to name may have its entry.
 */
function sameRights(all: readonly AclEntry[], wanted: readonly AclEntry[]): boolean {
  const unnamed = LATER_ROLES.filter((role) => !wanted.some(({ id }) => id.startsWith(`${role}:`)));
  const found = all.filter(({ id }) => isOpen(wanted) || !unnamed.some((role) => id.startsWith(`${role}:`)));
  const words = (acl: readonly AclEntry[], masked: boolean) =>
    acl
      .map(({ scheme, id, permissions }) => {
        const shown = masked && scheme === 'digest' ? id.slice(0, id.indexOf(':')) : id;
        return `${scheme} ${shown} ${[...permissions].sort().join('')}`;
      })
      .sort()
      .join('\n');
  const masked = found.some(({ scheme, id }) => scheme === 'digest' && id.endsWith(':x'));
  return words(found, masked) === words(wanted, masked);
}
