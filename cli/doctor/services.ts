import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Settings } from '../../schemas/settings/settings.ts';
import { serviceZnodes } from '../../services/contract.ts';
import { agentOf } from '../../services/floor.ts';
import type { Session } from '../../zookeeper/session.ts';
import { type Finding, failed, fromError, ok, warning } from './finding.ts';

/** Checks the services that this server registers, and the directories of the files in which it keeps lists. */
export async function checkServices(
  { agent }: Settings,
  session: Pick<Session, 'children' | 'getAcl'>,
  isClosed: boolean,
): Promise<Finding[]> {
  const names = [...new Set(agent.services.map(({ name }) => name))];
  const found = await Promise.all([
    ...names.map((name) => checkService(session, name, agent.id, isClosed).catch((error) => [fromError(name, error)])),
    ...agent.serviceFiles.map(({ out }) => checkPlace(out)),
  ]);
  return found.flat();
}

async function checkService(
  session: Pick<Session, 'children' | 'getAcl'>,
  service: string,
  agentId: string,
  isClosed: boolean,
): Promise<Finding[]> {
  const paths = serviceZnodes(service);
  const listed = await session.children(paths.list);
  const init = `an operator types: gitfleet init --service ${service}`;
  if (listed === null) {
    if (isClosed) return [failed(service, 'this service was not made: nothing can be registered', init)];
    return [ok(service, 'the first registration makes this service')];
  }
  const twins = new Set((await session.children(paths.instances)) ?? []);
  const foreign = listed.filter((name) => !twins.has(name)).length;
  const isIn = listed.some((name) => agentOf(name) === agentId);
  const counts = `${listed.length} registered, ${foreign} of them by other programs`;
  const own = isIn
    ? ok(service, `${counts}; this server is one of them`)
    : warning(service, `${counts}; this server is not`, 'its agent says why in its log; or gitfleet service join');
  return [own, ...((await isOpenToAll(session, paths.list)) && isClosed ? [openFinding(service, init)] : [])];
}

const openFinding = (service: string, hint: string): Finding =>
  warning(service, 'every ZooKeeper client may register instances of this service, and remove them', hint);

async function isOpenToAll(session: Pick<Session, 'getAcl'>, path: string): Promise<boolean> {
  const acl = await session.getAcl(path);
  return acl?.acl.some(({ scheme, permissions }) => scheme === 'world' && /[cd]/.test(permissions)) ?? false;
}

async function checkPlace(out: string): Promise<Finding[]> {
  try {
    await access(dirname(out), constants.W_OK | constants.X_OK);
    return [ok('service file', `${out} can be written`)];
  } catch (error) {
    const hint = `let the agent's user write to ${dirname(out)}`;
    return [failed('service file', `${out} cannot be written (${(error as NodeJS.ErrnoException).code})`, hint)];
  }
}
