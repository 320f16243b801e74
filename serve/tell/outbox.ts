import { fullJitter } from '../../runtime/backoff.ts';
import { type Bell, createBell } from '../../runtime/bell.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import { classify, type FleetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { createRetryLoop, type RetryLoop } from '../../runtime/retry-loop.ts';
import type { ToldEvent } from './event.ts';
import { beginAfter, isDigest, type Message, nextMessage, noted, type ToldNote, untold } from './note.ts';
import type { Sink } from './sink.ts';
import type { ToldStore } from './told-store.ts';
import type { ToldView } from './view.ts';

export interface OutboxParts {
  readonly store: ToldStore;
  /** Everything of the last hour that is worth telling, oldest first; null: nothing was read yet. */
  readonly events: () => {
    readonly events: readonly ToldEvent[];
    readonly view: ToldView;
    readonly now: number;
  } | null;
  readonly counted: (sink: string, result: 'told' | 'failed' | 'given-up') => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** What is kept of the events that wait for one sink, silence apart; beyond that, the oldest are given up. */
const MOST_WAITING = 200;
/** Of messages that are refused: another try may find a repaired setting. */
const MOST_REFUSED = 5;
const BACKOFF = { firstMs: 500, maxMs: 60_000 };
/** A look without a bell: silence becomes due, an event becomes too old. */
const LOOK_MS = 10_000;
const LEAST_WAIT_MS = 50;

/**
 * Tells one sink what is worth telling, in order, while this server is the elected one. At least once: a message is
 * noted after it was sent, so a crash in between sends it again under the same id. A sink that was never told anything
 * begins after what there is. A message is tried again until it is an hour old, one that is refused five times; then
 * it is given up, which the log and a metric say. Nothing waits for a sink: what is due is found in the shared state,
 * and no sink waits for another.
 */
export function startOutbox(
  sink: Sink,
  parts: OutboxParts,
  signal: AbortSignal,
): { ring(): void; ended: Promise<void> } {
  const bell = createBell(parts.clock);
  return { ring: bell.ring, ended: tellForever(sink, parts, bell, signal) };
}

async function tellForever(sink: Sink, parts: OutboxParts, bell: Bell, signal: AbortSignal): Promise<void> {
  const { clock, random, log } = parts;
  const attempts = { of: '', failed: 0 };
  const retryLoop = createRetryLoop({ clock, random, log }, (nth) => fullJitter(BACKOFF, nth, random) + LEAST_WAIT_MS);
  while (!signal.aborted) {
    let waitMs = LOOK_MS;
    try {
      while (!signal.aborted && (await tellNext(sink, parts, attempts, retryLoop, signal)));
      await tellProgress(sink, parts, signal);
    } catch (error) {
      if (signal.aborted) return;
      waitMs = retryLoop.failed(error, { sink: sink.name }, 'a message could not be delivered, retrying');
    }
    // A bell must not shorten the wait after a failure: a fleet that changes would call a sink without end.
    if (waitMs === LOOK_MS) await bell.wait(waitMs, signal);
    else await clock.sleep(waitMs, signal).catch(() => {});
  }
}

/** Tells the oldest message that is due. False: none is. */
async function tellNext(
  sink: Sink,
  parts: OutboxParts,
  attempts: { of: string; failed: number },
  retryLoop: RetryLoop,
  signal: AbortSignal,
): Promise<boolean> {
  const found = parts.events();
  if (found === null) return false;
  const { events, now } = found;
  const before = await parts.store.read(sink.name);
  if (before === null) {
    await parts.store.write(sink.name, beginAfter(events, now));
    return true;
  }
  const due = await dueFor(sink, parts, events, before, now);
  if (due === null) return false;
  const { message, note } = due;
  const isNoted = !isDigest(message) || note.sending.join('\n') === message.keys.join('\n');
  const begun = isNoted ? note : { ...note, sending: [...message.keys] };
  if (!isNoted) await parts.store.write(sink.name, begun);
  try {
    if (sink.takes(message)) await sink.send(message, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    parts.counted(sink.name, 'failed');
    if (attempts.of !== message.id) Object.assign(attempts, { of: message.id, failed: 0 });
    attempts.failed += 1;
    if (!isHopeless(classify(error), attempts.failed)) throw error;
    giveUp(sink, parts, [message], classify(error));
    await parts.store.write(sink.name, noted(begun, message.keys, now, events));
    return true;
  }
  await parts.store.write(sink.name, noted(begun, message.keys, now, events));
  if (sink.takes(message)) parts.counted(sink.name, 'told');
  retryLoop.wentWell();
  return true;
}

const isHopeless = ({ next }: FleetError, failed: number): boolean => next !== 'retry' && failed >= MOST_REFUSED;

async function dueFor(
  sink: Sink,
  parts: OutboxParts,
  events: readonly ToldEvent[],
  before: ToldNote,
  now: number,
): Promise<{ message: Message; note: ToldNote } | null> {
  const waiting = untold(events, before);
  const single = waiting.filter(({ what }) => what !== 'agents-silent');
  const over = single.slice(0, Math.max(0, single.length - MOST_WAITING));
  const note =
    over.length === 0
      ? before
      : noted(
          before,
          over.map(({ key }) => key),
          now,
          events,
        );
  if (over.length > 0) {
    giveUp(sink, parts, over, null);
    await parts.store.write(sink.name, note);
  }
  const message = nextMessage(untold(waiting, note), note);
  return message && { message, note };
}

function giveUp(sink: Sink, { log, counted }: OutboxParts, given: readonly unknown[], err: FleetError | null): void {
  for (const _ of given) counted(sink.name, 'given-up');
  const why = err === null ? 'more wait than are kept' : 'refused at each try';
  log.error({ sink: sink.name, messages: given.length, ...(err ? { err, hint: err.hint } : {}) }, `given up: ${why}`);
}

async function tellProgress(sink: Sink, { events }: OutboxParts, signal: AbortSignal): Promise<void> {
  const found = events();
  if (found !== null) await sink.progress?.(found.view, signal);
}
