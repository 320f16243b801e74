import { describe, expect, it } from 'vitest';
import { createPage, type Page, type PageEdge } from '../../../serve/page/page.ts';
import { AT, aliveAt, columnsOf, deltaOf, detailsOf, failedRow, rowOf, snapshotOf } from './fixture.ts';

/** A page whose server is this test: it writes into the stream, and moves the clock. */
function open(hash = '', token: string | null = null) {
  let now = 1_000;
  let kept = token;
  const streams: { write: (name: string, data: unknown) => void; end: () => void; token: string | undefined }[] = [];
  const copied: string[] = [];
  const edge: PageEdge = {
    async fetch(_url, { headers, signal }) {
      if (kept !== 'right' && token !== null) return new Response(null, { status: 401 });
      const encoder = new TextEncoder();
      let sink: ReadableStreamDefaultController<Uint8Array> | null = null;
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          sink = controller;
        },
      });
      signal.addEventListener('abort', () => sink?.error(new Error('aborted')));
      streams.push({
        write: (name, data) =>
          sink?.enqueue(encoder.encode(`id: 1\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`)),
        end: () => sink?.close(),
        token: headers['authorization'],
      });
      return new Response(body);
    },
    sleep: (ms, signal) =>
      ms === 5_000 ? new Promise((resolve) => signal.addEventListener('abort', () => resolve())) : Promise.resolve(),
    random: () => 0,
    clock: () => now,
    readToken: () => kept,
    keepToken: (next) => {
      kept = next;
    },
    readAgent: async (agentId) => detailsOf(failedRow(agentId), 'no such table'),
    copy: async (text) => copied.push(text) > 0,
  };
  const page: Page = createPage(edge, hash, () => {});
  void page.run();
  const settled = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const state = () => page.view().state;
  return {
    page,
    state,
    streams,
    copied,
    settled,
    pass: (ms: number) => {
      now += ms;
    },
    kept: () => kept,
  };
}

describe('the page', () => {
  it('shows a snapshot, a change, and staleness after two silent seconds, and is live again with the next word', async () => {
    const { page, state, streams, settled, pass } = open();
    await settled();
    streams[0]?.write('snapshot', snapshotOf([rowOf('web-1')]));
    await settled();
    expect([state().picture?.agents.size, state().age?.stale]).toEqual([1, null]);
    streams[0]?.write('delta', deltaOf(0, { agents: columnsOf([failedRow('web-1')]) }));
    await settled();
    expect([page.view().title, state().news]).toEqual([
      '1 failed · /app/shop · gitfleet',
      ['web-1 failed: ACTIVATE_FAILED'],
    ]);
    pass(2_000);
    expect(state().age?.stale?.words).toContain('no sign of life');
    streams[0]?.write('alive', aliveAt(2_000));
    await settled();
    expect(state().age).toEqual({ asOf: AT + 2_000, now: AT + 2_000, stale: null });
  });

  it('says so at once when the server says that ZooKeeper does not answer', async () => {
    const { state, streams, settled } = open();
    await settled();
    streams[0]?.write('snapshot', snapshotOf([rowOf('web-1')]));
    streams[0]?.write(
      'alive',
      aliveAt(900, { zookeeper: { state: 'suspended', stale: { since: AT, reason: 'no answer' } } }),
    );
    await settled();
    expect(state().age?.stale).toEqual({ since: AT, words: 'ZooKeeper does not answer (no answer)' });
  });

  it('follows the stream again after a loss, and keeps what it shows meanwhile', async () => {
    const { state, streams, settled } = open();
    await settled();
    streams[0]?.write('snapshot', snapshotOf([rowOf('web-1')]));
    await settled();
    streams[0]?.end();
    await settled();
    expect([streams.length, state().picture?.agents.size]).toEqual([2, 1]);
    expect(state().age?.stale?.words).toContain('the server ended the stream');
  });

  it('asks for a token, says when it was refused, and keeps no refused one', async () => {
    const { page, state, streams, settled, kept } = open('', 'wrong');
    await settled();
    expect([state().token, kept()]).toEqual(['refused', null]);
    page.actions.giveToken('right');
    await settled();
    expect([state().token, streams[0]?.token]).toEqual(['none', 'Bearer right']);
  });

  it('asks for the details of the server that a reader opens, and again when it changes', async () => {
    const { page, state, streams, settled } = open();
    await settled();
    streams[0]?.write('snapshot', snapshotOf([failedRow('web-1'), failedRow('web-2')]));
    await settled();
    page.goTo('#/servers/web-2');
    await settled();
    expect([state().details?.agent.agentId, state().details?.report?.output]).toEqual(['web-2', 'no such table']);
    page.goTo('#/servers/web-1');
    expect(state().details).toBeNull();
  });

  it('takes its news back, so that they are not heard twice', async () => {
    const { page, state, settled, copied, pass } = open();
    page.actions.copy('gitfleet resume');
    await settled();
    expect([copied, state().news]).toEqual([['gitfleet resume'], ['copied: gitfleet resume']]);
    pass(6_000);
    page.tick();
    expect(state().news).toEqual([]);
  });
});
