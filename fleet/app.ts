import { parseOutcome } from '../schemas/deployment.ts';
import { initialZnodes, type ZnodeKind, type Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { type AclEntry, ANY_VERSION, type Session } from '../zookeeper/session.ts';
import { type Access, isOpen } from './access.ts';

interface InitResult {
  readonly made: string[];
  readonly present: string[];
}

/**
 * Creates the znodes of an app, all empty. `config` is one of them, so that any ZooKeeper client can set it and every
 * agent can watch it. Repeatable: existing znodes keep their content and get the rights of `access`, and so do the
 * nodes that others created below them.
 * @throws ZooKeeperError NO_AUTH if other rights on these znodes prevent it.
 */
export async function initApp(session: Session, znodes: Znodes, access: Access): Promise<InitResult> {
  const result: InitResult = { made: [], present: [] };
  const parent = znodes.app.slice(0, znodes.app.lastIndexOf('/'));
  // Several apps share the parent of the app znode: readable for all roles, created only if it is missing.
  if (parent !== '') await session.ensure(parent, { acl: access.of('app') });
  for (const [path, kind] of initialZnodes(znodes.app)) {
    const acl = access.of(kind);
    try {
      await session.create(path, Buffer.alloc(0), 'persistent', { acl });
      result.made.push(path);
    } catch (error) {
      if (!isCode(error, 'NODE_EXISTS')) throw error;
      await session.setAcl(path, acl, ANY_VERSION);
      result.present.push(path);
    }
  }
  // After their parents, so that no client can create further open ones.
  await giveRights(session, await pathsBelow(session, znodes.deployments), access.of('deployment'));
  await giveRights(session, await pathsBelow(session, znodes.permits), access.of('permit'));
  await giveRights(session, await pathsBelow(session, znodes.audit), access.of('auditRecord'));
  await giveRights(session, await pathsBelow(session, znodes.flagChanges), access.of('flagChange'));
  await giveRights(session, await pathsBelow(session, znodes.objects), access.of('bundle'));
  for (const path of await pathsBelow(session, znodes.outcomes))
    await giveRights(session, [path], access.of('outcome', await writerOf(session, path)));
  await giveRights(session, await pathsBelow(session, znodes.enrolment), access.of('enrolled'));
  if (!isOpen(access.of('report'))) await removeOpen(session, await pathsBelow(session, znodes.agents));
  return result;
}

/**
 * The number of online agents if the whole app is open, as `init --open` makes it; otherwise null. Znodes that an
 * earlier version did not create do not matter.
 */
export async function onlineInOpenApp(session: Session, znodes: Znodes): Promise<number | null> {
  if (!(await session.exists(znodes.config))) return null;
  const found = await Promise.all(initialZnodes(znodes.app).map(([path]) => isOpenNode(session, path)));
  if (found.includes(false)) return null;
  return ((await session.children(znodes.online)) ?? []).length;
}

/** Null if there is no such node. A node that we may not even read is not open. */
async function isOpenNode(session: Session, path: string): Promise<boolean | null> {
  try {
    const node = await session.getAcl(path);
    return node && isOpen(node.acl);
  } catch (error) {
    if (isCode(error, 'NO_AUTH')) return false;
    throw error;
  }
}

/** Null if we may not even read it. */
async function unlessRefused<T>(answer: Promise<T>): Promise<T | null> {
  return await answer.catch((error: unknown) => {
    if (isCode(error, 'NO_AUTH')) return null;
    throw error;
  });
}

/** Whether the list grants anything to everyone, even if only to read. */
const namesEverybody = (acl: readonly AclEntry[]): boolean => acl.some(({ scheme }) => scheme === 'world');

async function pathsBelow(session: Session, parent: string): Promise<string[]> {
  return ((await session.children(parent)) ?? []).map((name) => `${parent}/${name}`);
}

/** Skips nodes that their creator shut to us; `history --verify` names them. */
async function giveRights(session: Session, paths: readonly string[], acl: readonly AclEntry[]): Promise<void> {
  await Promise.all(paths.map((path) => unlessGone(unlessRefused(session.setAcl(path, acl, ANY_VERSION)))));
}

/** Who wrote the outcome, by its own content. Publishers may rewrite what a publisher wrote. */
async function writerOf(session: Session, path: string): Promise<'publisher' | undefined> {
  const node = await unlessRefused(session.get(path));
  return node && parseOutcome(node.data)?.by !== 'coordinator' ? 'publisher' : undefined;
}

/**
 * Removes reports with open rights. The right list names the agent's own credential, which only the agent knows, so the
 * agent has to write its report again.
 */
async function removeOpen(session: Session, paths: readonly string[]): Promise<void> {
  await Promise.all(
    paths.map(async (path) => {
      const node = await unlessRefused(session.getAcl(path));
      if (node && namesEverybody(node.acl)) await unlessGone(session.remove(path, ANY_VERSION));
    }),
  );
}

/** Records and permits may disappear in the meantime. */
async function unlessGone(change: Promise<unknown>): Promise<void> {
  await change.catch((error: unknown) => {
    if (!isCode(error, 'NO_NODE')) throw error;
  });
}

/** The kind of a path in the app, or of its nearest known parent. Outside, `app`, which belongs to the operator. */
export function kindOf(znodes: Znodes, path: string): ZnodeKind {
  const found = initialZnodes(znodes.app).filter(([node]) => path === node || path.startsWith(`${node}/`));
  return found.sort(([a], [b]) => b.length - a.length)[0]?.[1] ?? 'app';
}
