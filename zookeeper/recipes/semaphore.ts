import type { Session } from '../session.ts';
import { inOrder } from './contention.ts';
import { leaseInTurn } from './lease-in-turn.ts';
import type { Held, QueueOptions } from './queue-node.ts';

interface LeaseOptions extends QueueOptions {
  /** How many may hold one at a time; the same for all who ask. */
  readonly leases: number;
  readonly signal: AbortSignal;
}

/**
 * One of a fixed number of leases, given in the order in which it was asked for; a dead holder's comes back with its
 * session. Guarantee: no more leases than `leases` at any time. What breaks it: askers that disagree about `leases`, and
 * effects of a holder whose signal has fired (frozen, cut off) that carry no guard.
 */
export function acquireLease(session: Session, options: LeaseOptions): Promise<Held> {
  return leaseInTurn(session, options, ({ names }) => (inOrder(names, PREFIX).length < options.leases ? PREFIX : null));
}

const PREFIX = 'lease-';
