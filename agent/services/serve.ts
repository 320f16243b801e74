import type { Clock, Random } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ServedSettings } from '../../schemas/settings/service-settings.ts';
import type { ServiceAccess } from '../../services/access.ts';
import { addressText } from '../../services/contract.ts';
import { createConsumerMemory } from '../../services/drain.ts';
import { chooseHost, type Interface } from '../../services/host.ts';
import { lookHttp, lookTcp } from '../../services/look.ts';
import { createLooker, LOOK_RULE } from '../../services/look-after.ts';
import { removeStrays } from '../../services/own-registration.ts';
import { keepRegistered } from '../../services/registration.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Journal } from '../state/journal.ts';
import type { LeftByHand } from './left-by-hand.ts';
import { createRotation, type DrainTold, type Rotation, type RunCommand, type Served } from './rotation.ts';

export interface ServeParts {
  /** Used only for the registrations: it outlives this process. */
  readonly session: Session;
  readonly access: (service: string) => ServiceAccess;
  readonly services: readonly ServedSettings[];
  /** The services that an earlier process registered with the same session. */
  readonly before: readonly string[];
  readonly agentId: string;
  readonly machineId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly interfaces: () => readonly Interface[];
  readonly journal: () => Journal;
  readonly readLeft: () => Promise<LeftByHand>;
  readonly runCommand: RunCommand;
  readonly told: (drain: DrainTold) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Keeps the services of this server registered while they are well, until `stop` fires; it does not remove them then.
 * @throws FleetError HOST_UNKNOWN
 */
export function serveServices(parts: ServeParts, stop: AbortSignal): { rotation: Rotation; ended: Promise<void> } {
  const { session, clock, random, log } = parts;
  const running: Promise<void>[] = [];
  const served = parts.services.map((service): Served => {
    const host = chooseHost(service.host, parts.interfaces);
    const address = { host, port: service.port };
    const registration = keepRegistered({
      ...{ session, service: service.name, access: parts.access(service.name), address, clock, random, log },
      ...{ agentId: parts.agentId, machineId: parts.machineId },
      facts: () => ({ ...servedFacts(parts.journal()), labels: parts.labels }),
    });
    registration.onChange(() => {
      if (registration.problem !== null) log.error({ service: service.name }, registration.problem);
    });
    const looker = createLooker({
      look: (signal) => look(service, address, clock, signal),
      rule: { ...LOOK_RULE, interval: service.check.interval },
      ...{ say: registration.say, clock, random },
    });
    running.push(looker.run(stop).then(() => registration.stop()));
    return { service: service.name, registration, looker, memory: createConsumerMemory(), drain: service.drain };
  });
  running.push(tidy(parts, served, stop), obeyHands(parts, served, stop));
  const { runCommand, told } = parts;
  return {
    rotation: createRotation({ session, served, runCommand, told, clock, log }),
    ended: Promise.all(running).then(() => {}),
  };
}

function look({ check }: ServedSettings, address: { host: string; port: number }, clock: Clock, signal: AbortSignal) {
  if (check.http !== undefined) return lookHttp(check.http, undefined, check.timeout, clock, signal);
  return lookTcp(check.tcp ?? addressText(address), check.timeout, clock, signal);
}

/** The commit that the link shows, and its deployment. */
function servedFacts({ progress, links }: Journal) {
  const shown = progress ? links[progress.relativePath] : undefined;
  const commit = shown === undefined || shown === '' ? null : shown;
  const deployment = commit !== null && progress?.commitId === commit ? (progress.deployment ?? null) : null;
  return { commit, deployment };
}

const HANDS_MS = 1_000;

/** Applies what `gitfleet service leave` and `join` said on this server. */
async function obeyHands({ readLeft, clock }: ServeParts, served: readonly Served[], stop: AbortSignal): Promise<void> {
  while (!stop.aborted && served.length > 0) {
    const left = await readLeft();
    for (const { service, registration } of served) {
      const word = left[service];
      registration.stayOut(word ? `${word.by}: ${word.reason}` : null);
    }
    await clock.sleep(HANDS_MS, stop).catch(() => {});
  }
}

/** Removes registrations of this session that the settings no longer name. */
async function tidy(parts: ServeParts, served: readonly Served[], stop: AbortSignal): Promise<void> {
  const { session, services, before, agentId, interfaces, log } = parts;
  const all = [...new Set([...before, ...served.map(({ service }) => service)])];
  try {
    const { sessionId } = await session.connected(stop);
    for (const service of all) {
      const mine = services.filter(({ name }) => name === service);
      const addresses = mine.map(({ host, port }) => addressText({ host: chooseHost(host, interfaces), port }));
      await removeStrays({ session, service, agentId }, addresses, sessionId);
    }
  } catch (error) {
    if (!stop.aborted) log.warn({ err: classify(error) }, 'registrations of earlier settings may remain for a while');
  }
}
