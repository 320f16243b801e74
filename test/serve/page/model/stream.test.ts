import { describe, expect, it } from 'vitest';
import { createEventParser, type StreamEvent } from '../../../../serve/page/stream/event-parser.ts';
import { followEvents, retryDelay, type StreamEdge } from '../../../../serve/page/stream/follow-events.ts';

describe('the parser of the event stream', () => {
  const text =
    ': hello\nid: p-1\nevent: snapshot\ndata: {"a":\ndata: 1}\n\nevent: alive\r\ndata:{}\r\n\r\nid: p-2\n\ndata: x\n\n';
  const events: StreamEvent[] = [
    { name: 'snapshot', data: '{"a":\n1}', id: 'p-1' },
    { name: 'alive', data: '{}', id: 'p-1' },
    { name: 'message', data: 'x', id: 'p-2' },
  ];

  it('gives the same events however the bytes are cut', () => {
    for (let size = 1; size <= text.length; size++) {
      const parse = createEventParser();
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.slice(i * size, (i + 1) * size),
      );
      expect(pieces.flatMap((piece) => parse(piece))).toEqual(events);
    }
  });

  it('refuses an event without end', () => {
    const parse = createEventParser(1_000);
    expect(() => {
      for (let i = 0; i < 100; i++) parse('data: '.padEnd(100, 'x'));
    }).toThrow('more than 1000 characters');
  });

  it('counts each event anew, so a stream of any length is read', () => {
    const parse = createEventParser(1_000);
    for (let i = 0; i < 100; i++) expect(parse(`data: ${'x'.repeat(500)}\n\n`)).toHaveLength(1);
  });
});

let isSilent = false;

/** A server that answers each request with the next of these; with an empty text it says nothing, without end. */
function answers(...all: (string | number | Error)[]) {
  const stop = new AbortController();
  const asked: Record<string, string>[] = [];
  const slept: number[] = [];
  const edge: StreamEdge = {
    async fetch(_url, { headers }) {
      asked.push(headers);
      const next = all.shift();
      if (all.length === 0) stop.abort();
      if (next instanceof Error) throw next;
      if (typeof next === 'number') return new Response(null, { status: next });
      return new Response(next === '' ? new ReadableStream() : next);
    },
    // The bound of a silent stream passes only where a test says so.
    sleep: async (ms, signal) => {
      if (ms !== 5_000) slept.push(ms);
      else if (!isSilent) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
    random: () => 1,
  };
  return { edge, stop: stop.signal, asked, slept };
}

describe('following the events', () => {
  const heard: string[] = [];
  const listener = {
    event: ({ data }: StreamEvent) => {
      if (data === 'bad') throw new Error('cannot be read');
      heard.push(data);
    },
    heard: () => {},
    lost: (reason: string) => heard.push(reason),
  };
  const follow = async (token: string | null, ...all: (string | number | Error)[]) => {
    heard.length = 0;
    const { edge, stop, asked, slept } = answers(...all);
    return { end: await followEvents('events', token, listener, edge, stop), asked, slept };
  };

  it('gives the id of the last event back after a loss, and waits longer each time', async () => {
    const { end, asked, slept } = await follow(
      'secret',
      'id: p-7\ndata: a\n\n',
      new Error('refused'),
      503,
      'data: b\n\n',
    );
    expect(end).toBe('stopped');
    expect(heard).toEqual(['a', 'the server ended the stream', 'refused', 'the server answers with status 503', 'b']);
    expect(asked.map((headers) => headers['last-event-id'])).toEqual([undefined, 'p-7', 'p-7', 'p-7']);
    expect(asked.every((headers) => headers['authorization'] === 'Bearer secret')).toBe(true);
    expect(slept).toEqual([250, 500, 1_000]);
  });

  it('gives a connection up that says nothing, also if it never breaks', async () => {
    isSilent = true;
    const { slept } = await follow(null, '', 503);
    isSilent = false;
    expect(heard).toEqual(['no sign of life']);
    expect(slept).toEqual([250]);
  });

  it('begins with the first wait again once a stream has lasted', async () => {
    const { slept } = await follow(null, 503, 503, 'event: alive\ndata: {}\n\n', 503);
    expect(slept).toEqual([250, 500, 250]);
  });

  it('asks for a snapshot after an event that it cannot take', async () => {
    const { asked } = await follow(null, 'id: p-7\ndata: a\n\nid: p-8\ndata: bad\n\n', 503);
    expect(asked[1]).not.toHaveProperty('last-event-id');
  });

  it.each([401, 403])('ends when the server wants a token (%i)', async (status) => {
    expect(await follow(null, status, 'never')).toMatchObject({ end: 'token', slept: [] });
  });

  it('waits ten seconds at most, and not all viewers alike', () => {
    expect([retryDelay(0, 0), retryDelay(3, 0.5), retryDelay(100, 0), retryDelay(100, 1)]).toEqual([
      125, 1_500, 5_000, 10_000,
    ]);
  });
});
