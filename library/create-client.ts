import { openServiceAccess } from '../services/access.ts';
import type { Operation, Session } from '../zookeeper/session.ts';
import type { Client, ClientOperation } from './client.ts';
import { toBuffer } from './content.ts';
import { createFlagReaders } from './create-flags.ts';
import { createRecipes, type RecipeParts } from './create-recipes.ts';
import { createServices } from './create-services.ts';
import { anyPath, ownPath } from './own-path.ts';
import { createValues } from './values.ts';

/**
 * @param apps the app znodes that are not directly below `/app`.
 * @param serviceAccess the rights for registrations and the like.
 */
export function createClient(
  session: Session,
  apps: readonly string[],
  parts: RecipeParts,
  serviceAccess = openServiceAccess,
): Client {
  const own = (path: string) => ownPath(path, apps);
  return {
    ...createRecipes(session, own, parts),
    flags: createFlagReaders(session, parts),
    values: createValues(session),
    services: createServices(session, serviceAccess, parts),
    get state() {
      return session.state;
    },
    connected: session.connected,
    onState: session.onState,
    get: async (path, options) => await session.get(anyPath(path), options),
    exists: async (path, options) => await session.exists(anyPath(path), options),
    children: async (path, options) => await session.children(anyPath(path), options),
    getAcl: async (path, options) => await session.getAcl(anyPath(path), options),
    catchUp: async (path, options) => await session.catchUp(anyPath(path), options),
    watch: (path, options) => session.watch(anyPath(path), options),
    watchChildren: (path, options) => session.watchChildren(anyPath(path), options),
    create: async (path, content, { mode = 'persistent', ...options } = {}) =>
      await session.create(own(path), toBuffer(content), mode, options),
    set: async (path, content, version, options) => await session.set(own(path), toBuffer(content), version, options),
    remove: async (path, version, options) => await session.remove(own(path), version, options),
    transact: async (operations, options) =>
      await session.transact(
        operations.map((one) => owned(one, own)),
        options,
      ),
    ensure: async (path, options) => await session.ensure(own(path), options),
    removeTree: async (path, options) => await session.removeTree(own(path), options),
    close: session.close,
  };
}

/** A check only reads, so it may name any node. */
function owned(operation: ClientOperation, own: (path: string) => string): Operation {
  if (operation.op === 'check') return { ...operation, path: anyPath(operation.path) };
  const path = own(operation.path);
  if (operation.op === 'remove') return { ...operation, path };
  return { ...operation, path, data: toBuffer(operation.data) };
}
