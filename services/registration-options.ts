import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Session } from '../zookeeper/session.ts';
import type { ServiceAccess } from './access.ts';
import type { ServiceAddress, Twin } from './contract.ts';

/** One instance of a service, and what is needed to keep it registered (registration.ts). */
export interface RegistrationOptions {
  readonly session: Session;
  readonly service: string;
  readonly access: ServiceAccess;
  readonly agentId: string;
  readonly machineId: string;
  readonly address: ServiceAddress;
  /** What a new twin says about it. */
  readonly facts: () => Pick<Twin, 'commit' | 'deployment' | 'labels'>;
  /** The longest random wait before a lost registration is made again. Default 3 s. */
  readonly returnWithinMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}
