import type { CodeRows } from './row.ts';

/** What `gitfleet serve` says to others: forges, and the sinks of notifications. */
export const serveCodes = () =>
  ({
    NOT_DELIVERED: {
      next: 'retry',
      about: 'server',
      means: 'A forge or a sink cannot be reached, did not answer in time, or says that it is overloaded.',
      hint: 'check that this server reaches it; it is sent again automatically, for an hour',
    },
    DELIVERY_REFUSED: {
      next: 'stall',
      about: 'server',
      means: 'A forge or a sink refused what was sent to it, or gave an answer that cannot be read.',
      hint: 'check the address, and that the token or secret in its file is valid and has the right to write',
    },
  }) satisfies CodeRows;
