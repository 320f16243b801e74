import type { Random } from '../runtime/clock.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ANY_VERSION, type Operation, type Session } from '../zookeeper/session.ts';
import { addressText, encodeRegistration, encodeTwin, parseTwin, serviceZnodes, type Twin } from './contract.ts';
import { agentOf } from './floor.ts';
import { makeService } from './make-service.ts';
import type { RegistrationOptions } from './registration-options.ts';

/** What belongs to our session: a registration with its twin, or a twin without a registration. */
export interface Own {
  readonly name: string;
  readonly listed: boolean;
  readonly twin: Twin | null;
}

type Parts = Pick<
  RegistrationOptions,
  'session' | 'service' | 'access' | 'agentId' | 'machineId' | 'address' | 'facts' | 'random'
>;

/** Found by the session that owns the nodes, not only by their names: another process may use a name like ours. */
export async function findOwn(parts: Parts, sessionId: bigint): Promise<Own | null> {
  const { session, service, agentId, address } = parts;
  const paths = serviceZnodes(service);
  const names = ((await session.children(paths.instances)) ?? []).filter((name) => agentOf(name) === agentId);
  const found = await Promise.all(names.map((name) => readOwn(session, service, name, sessionId)));
  const ours = found.filter(
    (own) => own !== null && own.twin !== null && addressText(own.twin) === addressText(address),
  );
  return ours.find((own) => own?.listed) ?? ours[0] ?? null;
}

async function readOwn(session: Session, service: string, name: string, sessionId: bigint): Promise<Own | null> {
  const paths = serviceZnodes(service);
  const [twin, registration] = await Promise.all([
    session.get(paths.twin(name)),
    session.get(paths.registration(name)),
  ]);
  if (twin?.stat.ephemeralOwner !== sessionId) return null;
  return { name, listed: registration?.stat.ephemeralOwner === sessionId, twin: parseTwin(twin.data) };
}

/** `refused`: in words, that another machine holds our name. */
interface Registered {
  readonly own: Own | null;
  readonly refused: string | null;
}

/** Creates registration and twin in one transaction, under a name that was never used, and removes the earlier twin. */
export async function register(parts: Parts, before: Own | null, sessionId: bigint): Promise<Registered> {
  const { session, service, access, agentId, machineId, address, random } = parts;
  const holder = await holderOf(parts, sessionId);
  if (holder !== null) return { own: before, refused: holder };
  const paths = serviceZnodes(service);
  const name = `${agentId}-${drawn(random)}`;
  const twin: Twin = { agentId, machineId, ...address, ...parts.facts(), state: 'in', unwell: null };
  const operations: Operation[] = [
    ...(before && !before.listed
      ? [{ op: 'remove', path: paths.twin(before.name), version: ANY_VERSION } as const]
      : []),
    { op: 'create', path: paths.twin(name), data: encodeTwin(twin), mode: 'ephemeral', acl: access.twin },
    {
      op: 'create',
      path: paths.registration(name),
      data: encodeRegistration(address),
      mode: 'ephemeral',
      acl: access.registration,
    },
  ];
  await session.transact(operations).catch(async (error: unknown) => {
    // The ensemble was wiped, or the service does not exist yet.
    if (!isCode(error, 'NO_NODE')) throw error;
    await makeService(session, service, access);
    await session.transact(operations.filter(({ op }) => op !== 'remove'));
  });
  return { own: { name, listed: true, twin }, refused: null };
}

const drawn = (random: Random): string =>
  Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0');

/**
 * Two machines with the same id would count as one in the floor. An earlier process of this machine is not another one.
 */
async function holderOf({ session, service, agentId, machineId }: Parts, sessionId: bigint): Promise<string | null> {
  const paths = serviceZnodes(service);
  const names = ((await session.children(paths.instances)) ?? []).filter((name) => agentOf(name) === agentId);
  for (const name of names) {
    const node = await session.get(paths.twin(name));
    const twin = node && parseTwin(node.data);
    if (!twin || node.stat.ephemeralOwner === sessionId || twin.machineId === machineId) continue;
    return `the id ${agentId} is held by another machine, which serves ${addressText(twin)}`;
  }
  return null;
}

/** Removes what belongs to our session and has none of these addresses: services that the settings no longer name. */
export async function removeStrays(
  { session, service, agentId }: Pick<Parts, 'session' | 'service' | 'agentId'>,
  addresses: readonly string[],
  sessionId: bigint,
): Promise<void> {
  const paths = serviceZnodes(service);
  const names = ((await session.children(paths.instances)) ?? []).filter((name) => agentOf(name) === agentId);
  for (const name of names) {
    const own = await readOwn(session, service, name, sessionId);
    if (!own || (own.twin && addresses.includes(addressText(own.twin)))) continue;
    for (const path of [paths.registration(name), paths.twin(name)]) {
      await session.remove(path, ANY_VERSION).catch((error: unknown) => {
        if (!isCode(error, 'NO_NODE')) throw error;
      });
    }
  }
}

/** Resolves once the registration is gone, and also if it cannot be watched: the caller then looks again. */
export async function whenGone({ session, service }: Parts, name: string, signal: AbortSignal): Promise<void> {
  try {
    const path = serviceZnodes(service).registration(name);
    for await (const { exists } of session.watch(path, { signal })) if (!exists) return;
  } catch {
    // The next look reports the error.
  }
}
