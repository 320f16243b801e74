import { createEventParser, type StreamEvent } from './event-parser.ts';

/**
 * Keeps one event stream open for as long as the page is: reads it by fetch, because only fetch can send the token in
 * a header; gives the last event id back after a loss; waits longer after each failure. A silent connection, such as
 * that of a computer that slept, is given up. It ends when `stop` fires, and when the server wants another token. Not promised: that no event is missed; the server sends a snapshot if it cannot
 * continue.
 */

export interface StreamEdge {
  fetch(
    url: string,
    init: { headers: Record<string, string>; signal: AbortSignal; cache: 'no-store' },
  ): Promise<Response>;
  /** Resolves early when `signal` fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 to below 1. */
  random(): number;
}

export interface StreamListener {
  event(event: StreamEvent): void;
  /** Bytes arrived, whatever they say: the server lives. */
  heard(): void;
  /** The stream is gone, for this reason; the next attempt follows in `retryMs`. */
  lost(reason: string, retryMs: number): void;
}

/** Why the stream ended for good: the server requires a token, or refuses the one that it got; or `stop` fired. */
export type StreamEnd = 'token' | 'stopped';

/** The server sends something each second. */
const SILENT_MS = 5_000;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 10_000;

/** From 0.25 s, doubled each time up to 10 s, and then a share of it by chance: viewers do not return all at once. */
export const retryDelay = (failures: number, random: number): number =>
  Math.round(Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10)) * (0.5 + random / 2));

export async function followEvents(
  url: string,
  token: string | null,
  listener: StreamListener,
  edge: StreamEdge,
  stop: AbortSignal,
): Promise<StreamEnd> {
  let failures = 0;
  let lastId: string | null = null;
  while (!stop.aborted) {
    let reason = 'the server ended the stream';
    try {
      const response = await edge.fetch(url, { headers: headersOf(token, lastId), signal: stop, cache: 'no-store' });
      if (response.status === 401 || response.status === 403) return 'token';
      if (response.ok && response.body) {
        await readAll(response.body, edge, {
          ...listener,
          event(event) {
            // The stream lasted for a second at least. A server that fails after each snapshot is asked ever more rarely.
            if (event.name === 'alive') failures = 0;
            // After an event that cannot be taken, only a snapshot helps.
            lastId = null;
            listener.event(event);
            lastId = event.id;
          },
        });
      } else {
        reason = `the server answers with status ${response.status}`;
      }
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    if (stop.aborted) break;
    const retryMs = retryDelay(failures++, edge.random());
    listener.lost(reason, retryMs);
    await edge.sleep(retryMs, stop);
  }
  return 'stopped';
}

/** What proves to the server that a request may be answered. */
export const bearer = (token: string | null): Record<string, string> =>
  token === null ? {} : { authorization: `Bearer ${token}` };

function headersOf(token: string | null, lastId: string | null): Record<string, string> {
  return {
    accept: 'text/event-stream',
    ...bearer(token),
    ...(lastId === null ? {} : { 'last-event-id': lastId }),
  };
}

async function readAll(
  body: ReadableStream<Uint8Array>,
  edge: Pick<StreamEdge, 'sleep'>,
  listener: Omit<StreamListener, 'lost'>,
): Promise<void> {
  const parse = createEventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await inTime(reader.read(), edge).catch((error: unknown) => {
      void reader.cancel().catch(() => {});
      throw error;
    });
    if (done) return;
    listener.heard();
    for (const event of parse(decoder.decode(value, { stream: true }))) listener.event(event);
  }
}

async function inTime<T>(read: Promise<T>, { sleep }: Pick<StreamEdge, 'sleep'>): Promise<T> {
  const came = new AbortController();
  const silence = sleep(SILENT_MS, came.signal).then(() => {
    if (came.signal.aborted) return read;
    throw new Error('no sign of life');
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    came.abort();
    silence.catch(() => {});
  }
}
