import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Session } from '../zookeeper/session.ts';
import type { ServiceAccess } from './access.ts';
import type { ServiceAddress, Twin } from './contract.ts';

/** One instance of a service, and what keeping it registered needs (registration.ts). */
export interface RegistrationOptions {
  readonly session: Session;
  readonly service: string;
  readonly access: ServiceAccess;
  readonly agentId: string;
  readonly machineId: string;
  readonly address: ServiceAddress;
  /** What its twin says of it from now on. */
  readonly facts: () => Pick<Twin, 'commit' | 'deployment' | 'labels'>;
  /** A registration that was lost comes back within this time. Default 3 s. */
  readonly returnWithinMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}
