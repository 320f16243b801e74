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
 * Makes what an app needs, all empty: `config` too, so that any ZooKeeper client can set it and every agent can watch
 * it. Repeatable: what is there keeps its content, and gets the rights of `access`, what others made below it too.
 * @throws ZooKeeperError NO_AUTH where somebody else's rights on what it makes are in the way.
 */
export async function initApp(session: Session, znodes: Znodes, access: Access): Promise<InitResult> {
  const result: InitResult = { made: [], present: [] };
  const parent = znodes.app.slice(0, znodes.app.lastIndexOf('/'));
  // Above the app znode stands what several apps share: readable for all roles, made only where it is missing.
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
  // After their parents, so that no client creates open ones any more.
  await giveRights(session, await pathsBelow(session, znodes.deployments), access.of('deployment'));
  await giveRights(session, await pathsBelow(session, znodes.permits), access.of('permit'));
  await giveRights(session, await pathsBelow(session, znodes.audit), access.of('auditRecord'));
  await giveRights(session, await pathsBelow(session, znodes.flagChanges), access.of('flagChange'));
  for (const path of await pathsBelow(session, znodes.outcomes))
    await giveRights(session, [path], access.of('outcome', await writerOf(session, path)));
  await giveRights(session, await pathsBelow(session, znodes.enrolment), access.of('enrolled'));
  if (!isOpen(access.of('report'))) await removeOpen(session, await pathsBelow(session, znodes.agents));
  return result;
}

/**
 * Where everybody may do everything with the whole app, as `init --open` makes it: how many agents are online. Else null.
 * What an earlier version did not make counts neither way.
 */
export async function onlineInOpenApp(session: Session, znodes: Znodes): Promise<number | null> {
  if (!(await session.exists(znodes.config))) return null;
  const found = await Promise.all(initialZnodes(znodes.app).map(([path]) => isOpenNode(session, path)));
  if (found.includes(false)) return null;
  return ((await session.children(znodes.online)) ?? []).length;
}

/** Null where there is no such node; where we may not even look it is not open. */
async function isOpenNode(session: Session, path: string): Promise<boolean | null> {
  try {
    const node = await session.getAcl(path);
    return node && isOpen(node.acl);
  } catch (error) {
    if (isCode(error, 'NO_AUTH')) return false;
    throw error;
  }
}

/** Null also where we may not even look. */
async function unlessRefused<T>(answer: Promise<T>): Promise<T | null> {
  return await answer.catch((error: unknown) => {
    if (isCode(error, 'NO_AUTH')) return null;
    throw error;
  });
}

/** Be it only to read. */
const namesEverybody = (acl: readonly AclEntry[]): boolean => acl.some(({ scheme }) => scheme === 'world');

async function pathsBelow(session: Session, parent: string): Promise<string[]> {
  return ((await session.children(parent)) ?? []).map((name) => `${parent}/${name}`);
}

/** A client that may create below shut one away: that is its own doing, and `history --verify` names it. */
async function giveRights(session: Session, paths: readonly string[], acl: readonly AclEntry[]): Promise<void> {
  await Promise.all(paths.map((path) => unlessGone(unlessRefused(session.setAcl(path, acl, ANY_VERSION)))));
}

/** Whose outcome it says it is; what a publisher wrote, publishers may write again. */
async function writerOf(session: Session, path: string): Promise<'publisher' | undefined> {
  const node = await unlessRefused(session.get(path));
  return node && parseOutcome(node.data)?.by !== 'coordinator' ? 'publisher' : undefined;
}

/** A report names its agent's own credential, which only the agent knows: it writes a new one with its own rights. */
async function removeOpen(session: Session, paths: readonly string[]): Promise<void> {
  await Promise.all(
    paths.map(async (path) => {
      const node = await unlessRefused(session.getAcl(path));
      if (node && namesEverybody(node.acl)) await unlessGone(session.remove(path, ANY_VERSION));
    }),
  );
}

/** Records and permits come and go meanwhile. */
async function unlessGone(change: Promise<unknown>): Promise<void> {
  await change.catch((error: unknown) => {
    if (!isCode(error, 'NO_NODE')) throw error;
  });
}

/** What a path of the app, or the nearest node of it above, is; what lies outside belongs to the operator as `app` does. */
export function kindOf(znodes: Znodes, path: string): ZnodeKind {
  const found = initialZnodes(znodes.app).filter(([node]) => path === node || path.startsWith(`${node}/`));
  return found.sort(([a], [b]) => b.length - a.length)[0]?.[1] ?? 'app';
}
