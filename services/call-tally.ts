import type { Clock } from '../runtime/clock.ts';
import { addressText } from './contract.ts';
import type { Instance } from './instance.ts';
import { afterError, type PickMemory } from './pick.ts';

/** The requests that a program has in flight at the instances of a service, and the instances that failed recently. */
export interface CallTally {
  readonly memory: PickMemory;
  /** Counts one request from its beginning to its end. An error that it throws counts as an error of the instance. */
  perform<T>(instance: Instance, request: (instance: Instance) => Promise<T>): Promise<T>;
  /** Whether a request is in flight at an address other than these. */
  runElsewhere(addresses: ReadonlySet<string>): boolean;
  notePick(): void;
}

export function createCallTally(clock: Clock): CallTally {
  const busy = new Map<string, number>();
  const aside = new Map<string, number>();
  const errors = new Map<string, readonly number[]>();
  let count = 0;

  function fail(address: string): void {
    const now = clock.monotonic();
    const after = afterError(errors.get(address) ?? [], now);
    errors.set(address, after.errors);
    if (after.asideUntil > 0) aside.set(address, after.asideUntil);
    for (const [each, until] of aside) if (until <= now) aside.delete(each);
    for (const [each, times] of errors) if (times.length === 0) errors.delete(each);
  }

  return {
    get memory() {
      return { busy, aside, count };
    },
    notePick() {
      count += 1;
    },
    async perform(instance, request) {
      const address = addressText(instance);
      busy.set(address, (busy.get(address) ?? 0) + 1);
      try {
        return await request(instance);
      } catch (error) {
        fail(address);
        throw error;
      } finally {
        const left = (busy.get(address) ?? 1) - 1;
        if (left > 0) busy.set(address, left);
        else busy.delete(address);
      }
    },
    runElsewhere: (addresses) => [...busy.keys()].some((address) => !addresses.has(address)),
  };
}
