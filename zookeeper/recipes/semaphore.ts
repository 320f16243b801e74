import type { Session } from '../session.ts';
import { inOrder } from './contention.ts';
import { leaseInTurn } from './lease-in-turn.ts';
import type { Held, QueueOptions } from './queue-node.ts';

interface LeaseOptions extends QueueOptions {
  /** How many may be held at a time; must be the same for all clients. */
  readonly leases: number;
  readonly signal: AbortSignal;
}

/**
 * One of a fixed number of leases, granted in the order of requests. A dead holder's lease is freed when its session
 * ends. Guarantee: never more leases than `leases`. What breaks it: clients that disagree about `leases`, and effects
 * without a guard of a holder whose signal has fired (frozen, cut off).
 */
export function acquireLease(session: Session, options: LeaseOptions): Promise<Held> {
  return leaseInTurn(session, options, ({ names }) => (inOrder(names, PREFIX).length < options.leases ? PREFIX : null));
}

const PREFIX = 'lease-';
