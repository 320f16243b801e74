import { initialZnodes, type Znodes } from '../schemas/znodes.ts';
import { isCode, type ZooKeeperError } from '../zookeeper/errors.ts';
import type { AclEntry, CallOptions, Session } from '../zookeeper/session.ts';
import { type Access, isOpen, LATER_ROLES } from './access.ts';

/** A znode whose rights differ from those that `gitfleet init` gives. */
interface WrongRights {
  readonly path: string;
  /** `open`: everyone may change it. `differs`: it has other rights. `missing`: there is no such znode. */
  readonly how: 'open' | 'differs' | 'missing';
}

/** How many children of each list are checked: what opened one of them opened its neighbours too. */
const MAX_CHILDREN = 200;

/**
 * Compares the rights in an app with those of access.ts. Below the lists (records, outcomes, permits, presences,
 * reports) it only looks for open nodes, because agents add their own entries there. Read-only.
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
  lists.push(znodes.agents, znodes.flagChanges, znodes.objects);
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

/** Null if there is no such node. A list that we may not read is treated as empty. */
async function aclOf(session: Session, path: string): Promise<readonly AclEntry[] | null> {
  try {
    return (await session.getAcl(path))?.acl ?? null;
  } catch (error) {
    if (isCode(error, 'NO_AUTH')) return [];
    throw error;
  }
}

/** No znode ever has this version, so the write is refused. The reason tells whether we may write. */
const NO_VERSION = 2 ** 31 - 1;

/**
 * Why our credential may not publish, determined without writing anything; null: it may.
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
 * Servers show the hash of a credential only to those who may administer the node; others see `user:x`. Entries of
 * roles that are newer than our credential file are allowed.
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
