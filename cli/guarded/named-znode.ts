import { reservedFor } from '../../fleet/access.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { OPEN } from '../../zookeeper/acl.ts';
import { problemOfPath } from '../../zookeeper/paths.ts';
import type { AclEntry, Session } from '../../zookeeper/session.ts';
import { sessionAccess } from '../shell/session-access.ts';

/** The znode that a person named: a path, or a name below `folder`. @throws FleetError ZNODE, ZNODE_RESERVED */
export function namedZnode(name: string, folder: string, { app }: Pick<Settings, 'app'>): string {
  const path = name.startsWith('/') ? name : `${folder}/${name}`;
  const problem = problemOfPath(path) ?? (path === '/' ? 'is the root' : undefined);
  if (problem) throw FleetError.of('ZNODE', `the znode ${JSON.stringify(path)} ${problem}`);
  const owner = reservedFor(path, [app]);
  if (owner !== null) throw FleetError.of('ZNODE_RESERVED', `${path} belongs to ${owner}`);
  return path;
}

/** With a credential, only its holders may use the created nodes. */
export async function ownAcl(settings: Settings): Promise<readonly AclEntry[]> {
  const { session } = await sessionAccess(settings);
  const has = (session.auth?.length ?? 0) > 0;
  return has ? [{ scheme: 'auth', id: '', permissions: 'cdrwa' }] : OPEN;
}

/** As long as for the connection itself: the deadline of a short session would be short too. */
const PATIENCE_MS = 30_000;

export async function ensureParents(session: Session, path: string, acl: readonly AclEntry[]): Promise<string> {
  await session.ensure(path, { acl, deadlineMs: PATIENCE_MS });
  return path;
}
