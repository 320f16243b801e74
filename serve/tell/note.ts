import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { fromJson, toJson } from '../../schemas/text/lenient-json.ts';
import { idOf, type ToldEvent } from './event.ts';
import { OLDEST_MS } from './events.ts';
import { silentKeys } from './silence.ts';

/** Some 400 kB at most, of the megabyte that a znode may have. */
const MOST_TOLD = 4_000;
/** Longer than events are told, so that a clock that jumps a little tells nothing twice. */
const KEPT_MS = 2 * OLDEST_MS;

/**
 * `serve/told/<sink>`: what that sink was told, newest last. `sending` is written before a digest is sent, because only
 * then is it known which events are in it: after a crash the same digest is sent again, under the same id.
 */
const note = once(() =>
  z.object({
    told: z.array(z.object({ key: z.string(), at: z.number() })).default([]),
    sending: z.array(z.string()).default([]),
  }),
);
export type ToldNote = z.infer<ReturnType<typeof note>>;

/** Null for content that is no note: then nothing that happened before is told again. */
export const parseToldNote = (data: Buffer): ToldNote | null => fromJson(note(), data);
export const encodeToldNote = (value: ToldNote): Buffer => toJson(note(), value);

/** One message: an event, or several of silent agents in one. */
export interface Message {
  /** The same for each try: receivers drop doubles by it. */
  readonly id: string;
  readonly keys: readonly string[];
  readonly event: ToldEvent;
}

/** More silent agents than this are one message. */
const DIGEST_ABOVE = 3;

const isTold = (
  events: ReadonlySet<string>,
  all: readonly string[],
  { key, what, app, agents }: ToldEvent,
): boolean => {
  if (events.has(key)) return true;
  if (what !== 'agents-silent' || !key.endsWith(' unseen')) return false;
  const start = silentKeys(app, agents[0]?.agentId ?? '');
  return all.some((told) => told.startsWith(start));
};

/** What the sink has not been told yet, in the order of `events`. */
export function untold(events: readonly ToldEvent[], { told }: ToldNote): ToldEvent[] {
  const all = told.map(({ key }) => key);
  const keys = new Set(all);
  return events.filter((event) => !isTold(keys, all, event));
}

/**
 * The next message; null: all is told. A digest that was begun comes first, of the same events. Of more than three
 * silent agents that are next, one message is made.
 */
export function nextMessage(left: readonly ToldEvent[], { sending }: Pick<ToldNote, 'sending'>): Message | null {
  const begun = left.filter(({ key }) => sending.includes(key));
  if (begun.length > 0) return messageOf(begun, sending);
  const silent = left.filter(({ what }) => what === 'agents-silent');
  const [first] = left;
  if (first === undefined) return null;
  if (first.what !== 'agents-silent' || silent.length <= DIGEST_ABOVE) return messageOf([first], [first.key]);
  return messageOf(
    silent,
    silent.map(({ key }) => key),
  );
}

function messageOf(events: readonly ToldEvent[], keys: readonly string[]): Message | null {
  const [first] = events;
  if (first === undefined) return null;
  const id = idOf(keys.join('\n'));
  return {
    id,
    keys,
    event: { ...first, agents: events.length === 1 ? first.agents : events.flatMap((e) => e.agents) },
  };
}

/** A digest has to be noted before it is sent. */
export const isDigest = ({ keys }: Message): boolean => keys.length > 1;

/**
 * The note after `keys` were told, or given up. What is still worth telling stays noted, however long ago it was told: a
 * halt lasts, and an event of a clock that is ahead is new until its own time has passed.
 * @param events everything that is worth telling now, told or not.
 */
export function noted(
  { told }: Pick<ToldNote, 'told'>,
  keys: readonly string[],
  now: number,
  events: readonly Pick<ToldEvent, 'key'>[],
): ToldNote {
  const current = new Set(events.map(({ key }) => key));
  const kept = told.filter(({ key, at }) => (at > now - KEPT_MS || current.has(key)) && !keys.includes(key));
  return { told: [...kept, ...keys.map((key) => ({ key, at: now }))].slice(-MOST_TOLD), sending: [] };
}

/** For a sink that was never told anything: begin after what there is. */
export const beginAfter = (events: readonly ToldEvent[], now: number): ToldNote =>
  noted(
    { told: [] },
    events.map(({ key }) => key),
    now,
    events,
  );
