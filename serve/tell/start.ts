import type { Access } from '../../fleet/access.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { standForElection } from '../../zookeeper/recipes/election.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { ToldEvent } from './event.ts';
import { byTime, eventsOf } from './events.ts';
import { startOutbox } from './outbox.ts';
import { followSilence, NO_SILENCE, silentEvents } from './silence.ts';
import type { Sink } from './sink.ts';
import { toldIn } from './told-store.ts';
import type { ToldView } from './view.ts';

export interface TellerParts {
  readonly app: string;
  readonly session: Session;
  readonly znodes: Pick<Znodes, 'serveElection' | 'serveTold'>;
  readonly access: Access;
  /** The last state and the time by the clock of the ensemble; null: nothing was read yet. */
  readonly look: () => { readonly view: ToldView; readonly now: number } | null;
  /** Calls back after each change. The returned function removes the listener. */
  readonly onChange: (changed: () => void) => () => void;
  readonly sinks: readonly Sink[];
  /** After what time an agent counts as silent; null: that is not told. */
  readonly silentAfterMs: number | null;
  readonly counted: (sink: string, result: 'told' | 'failed' | 'given-up') => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface Teller {
  /** Whether this server is the one that sends. */
  readonly sends: boolean;
  close(): Promise<void>;
}

/**
 * Tells sinks what happens to an app. Every server follows what is worth telling; the elected one sends and notes it.
 * Without sinks it stands for nothing. An app without `serve/election` gets nothing told; the log says so.
 */
export function startTeller(parts: TellerParts): Teller {
  const { session, znodes, clock, random, log, sinks } = parts;
  if (sinks.length === 0) return { sends: false, close: async () => {} };
  const events = followEvents(parts);
  const candidacy = standForElection(session, { path: znodes.serveElection, clock, random, log });
  let telling: Promise<unknown> = Promise.resolve();
  const forget = candidacy.onChange((term) => {
    if (term === undefined) return;
    log.info('this server sends notifications and statuses');
    const store = toldIn(session, znodes.serveTold, parts.access, term);
    telling = telling.then(() => tellAll(parts, events, store, term.signal));
  });
  return {
    get sends() {
      return candidacy.term !== undefined;
    },
    async close() {
      forget();
      events.close();
      await candidacy.leave();
      await telling;
    },
  };
}

interface FollowedEvents {
  found(): { events: ToldEvent[]; view: ToldView; now: number } | null;
  onChange(changed: () => void): () => void;
  close(): void;
}

/** What is worth telling now; agents that went offline are remembered from change to change. */
function followEvents({ app, look, onChange, silentAfterMs }: TellerParts): FollowedEvents {
  let silence = NO_SILENCE;
  const listeners = new Set<() => void>();
  const follow = (): void => {
    const found = look();
    if (found !== null) silence = followSilence(silence, found.view, found.now);
    for (const listener of listeners) listener();
  };
  const close = onChange(follow);
  follow();
  return {
    close,
    found() {
      const found = look();
      if (found === null) return null;
      const { view, now } = found;
      const silent = silentAfterMs === null ? [] : silentEvents(app, silence, silentAfterMs, now);
      return { events: [...eventsOf(app, view, now), ...silent].sort(byTime), view, now };
    },
    onChange(changed) {
      listeners.add(changed);
      return () => void listeners.delete(changed);
    },
  };
}

/** All sinks beside each other, until the term ends. */
async function tellAll(
  parts: TellerParts,
  events: FollowedEvents,
  store: ReturnType<typeof toldIn>,
  signal: AbortSignal,
): Promise<void> {
  const outboxes = parts.sinks.map((sink) => startOutbox(sink, { ...parts, store, events: events.found }, signal));
  const forget = events.onChange(() => {
    for (const { ring } of outboxes) ring();
  });
  const ended = await Promise.allSettled(outboxes.map(({ ended: each }) => each));
  forget();
  for (const each of ended) {
    if (each.status === 'rejected') parts.log.error({ err: classify(each.reason) }, 'telling ended');
  }
}
