import { hostname } from 'node:os';
import { FleetError } from '../runtime/errors.ts';
import { newNonce } from '../runtime/nonce.ts';
import { SERVICE_NAME } from '../schemas/settings/service-settings.ts';
import { AGENT_ID } from '../schemas/znodes.ts';
import type { ServiceAccess } from '../services/access.ts';
import { openCaller } from '../services/caller.ts';
import { addressText, serviceZnodes } from '../services/contract.ts';
import { awaitConsumers, createConsumerMemory } from '../services/drain.ts';
import { followService } from '../services/follow-service.ts';
import { chooseHost, networkAddresses } from '../services/host.ts';
import { lookHttp, lookTcp } from '../services/look.ts';
import { createLooker, LOOK_RULE } from '../services/look-after.ts';
import { NOTHING_PICKED, pickFrom } from '../services/pick.ts';
import { readList, serviceNames } from '../services/read-list.ts';
import { keepRegistered, type Registration } from '../services/registration.ts';
import { ANY_VERSION, type Session } from '../zookeeper/session.ts';
import type { RecipeParts } from './create-recipes.ts';
import type { LeaveOptions, RegisteredInstance, RegisterOptions, Services } from './services.ts';

/** @param access the rights on what this program creates. */
export function createServices(session: Session, access: ServiceAccess, parts: RecipeParts): Services {
  const { clock, random } = parts;
  const read = (name: string) => readList({ session, service: serviceOf(name), clock, random });
  return {
    names: () => serviceNames(session),
    list: async (name) => await read(name),
    pick: async (name, rule = {}) => pickFrom(name, await read(name), rule, NOTHING_PICKED, clock.monotonic(), random),
    watch: (name, { signal }) => followService({ session, service: serviceOf(name), before: null, ...parts }, signal),
    async caller(name, options = {}) {
      const { signal = new AbortController().signal, cache: cacheDirectory = null } = options;
      const service = serviceOf(name);
      const id = `${plain(hostname()).slice(0, 60)}-${newNonce(random).slice(0, 8)}`;
      const what = `a program on ${hostname()}`;
      return await openCaller({ session, service, access, id, what, cacheDirectory, ...parts }, signal);
    },
    register: (name, options) => register({ session, access, ...parts }, serviceOf(name), options),
  };
}

/** @throws FleetError ZNODE */
function serviceOf(name: string): string {
  if (SERVICE_NAME.test(name)) return name;
  const hint = 'such as shop/web: two plain names with a slash between them';
  throw FleetError.of('ZNODE', `${JSON.stringify(name).slice(0, 120)} is no name of a service`, hint);
}

const plain = (text: string): string => text.replace(/[^A-Za-z0-9._-]/g, '-');

interface RegisterParts extends RecipeParts {
  readonly session: Session;
  readonly access: ServiceAccess;
}

const LOOK_MS = 1_000;

function register(parts: RegisterParts, service: string, options: RegisterOptions): RegisteredInstance {
  const { session, clock, random } = parts;
  const { port, check, labels = {} } = options;
  const address = { host: chooseHost(options.host, networkAddresses), port };
  const agentId = options.id ?? `${plain(hostname()).slice(0, 90)}-${port}`;
  if (!AGENT_ID.test(agentId)) throw FleetError.of('SETTINGS', `the id ${JSON.stringify(agentId)} is no plain name`);
  const registration = keepRegistered({
    ...{ service, agentId, machineId: hostname(), address, ...parts },
    facts: () => ({ commit: null, deployment: null, labels }),
  });
  const stop = new AbortController();
  const look = (signal: AbortSignal) =>
    check === undefined
      ? lookTcp(addressText(address), LOOK_MS, clock, signal)
      : lookHttp(check, undefined, LOOK_MS, clock, signal);
  const looking = createLooker({ look, rule: LOOK_RULE, say: registration.say, clock, random }).run(stop.signal);
  session.onState((state) => {
    if (state === 'closed') stop.abort();
  });
  return {
    get name() {
      return registration.name;
    },
    get problem() {
      return registration.problem;
    },
    onChange: registration.onChange,
    async leave(how = {}) {
      const left = await leave(parts, service, registration, how);
      stop.abort();
      await looking;
      await registration.stop();
      // Otherwise the floor would count it as an instance that comes back.
      const twin = registration.name === null ? null : serviceZnodes(service).twin(registration.name);
      if (twin !== null) await session.remove(twin, ANY_VERSION).catch(() => {});
      return left;
    },
  };
}

const AGAIN_MS = 500;

async function leave(parts: RegisterParts, service: string, registration: Registration, options: LeaveOptions) {
  const { session, clock } = parts;
  const { signal = new AbortController().signal, atLeastMs = 1_000, atMostMs = 30_000 } = options;
  for (;;) {
    const claim = await registration.leave(signal);
    if (claim.kind === 'left') {
      const drain = { session, service, memory: createConsumerMemory(), clock };
      const rule = { atLeast: atLeastMs, atMost: atMostMs };
      const { unacknowledged } = await awaitConsumers(drain, claim.zxid, rule, signal).catch((error: unknown) => {
        registration.join();
        throw error;
      });
      return { alone: claim.alone, unacknowledged: unacknowledged.map(({ id }) => id) };
    }
    await clock.sleep(AGAIN_MS, signal);
  }
}
