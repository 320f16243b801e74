import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { clean } from '../../runtime/safe-text.ts';

/** One service that a server left, and the consumers of its list that did not acknowledge that in time. */
export const unacknowledgedDrain = once(() =>
  z.object({
    service: z.string(),
    /** The number of these consumers. */
    count: z.int(),
    /** The first of them: id, and what each says of itself. */
    consumers: z.array(z.string()),
  }),
);
export type UnacknowledgedDrain = z.infer<ReturnType<typeof unacknowledgedDrain>>;

interface Drain {
  readonly service: string;
  readonly unacknowledged: readonly { readonly id: string; readonly what: string }[];
}

/** A report is a znode that many readers fetch: it names at most so many consumers, of all services together. */
const MAX_NAMED = 20;

/** `lb1-9f86d081: backend shop of /run/haproxy.sock on lb1`. Both parts are words of another program. */
export const consumerNames = (consumers: Drain['unacknowledged']): string[] =>
  consumers.slice(0, MAX_NAMED).map(({ id, what }) => clean(what === '' ? id : `${id}: ${what}`, 150));

/** Pure. The drains without the ones that every consumer acknowledged; at most 20 services. */
export function unacknowledgedDrains(drains: readonly Drain[]): UnacknowledgedDrain[] {
  const some = drains.filter(({ unacknowledged }) => unacknowledged.length > 0).slice(0, MAX_NAMED);
  const each = Math.floor(MAX_NAMED / Math.max(1, some.length));
  return some.map(({ service, unacknowledged }) => ({
    service,
    count: unacknowledged.length,
    consumers: consumerNames(unacknowledged).slice(0, each),
  }));
}
