import { describe, expect, it } from 'vitest';
import { FleetError } from '../../../runtime/errors.ts';
import { createLog } from '../../../runtime/log.ts';
import { idOf, type ToldEvent } from '../../../serve/tell/event.ts';
import { eventsOf } from '../../../serve/tell/events.ts';
import type { Message, ToldNote } from '../../../serve/tell/note.ts';
import { type OutboxParts, startOutbox } from '../../../serve/tell/outbox.ts';
import type { Sink } from '../../../serve/tell/sink.ts';
import type { ToldView } from '../../../serve/tell/view.ts';
import { SEED, seeded } from '../../support/seeded.ts';
import { APP, NOW, outcomeOf, QUIET, recordOf, rolloutOf } from '../../support/serve/told-view.ts';
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

const log = createLog({ level: 'silent' });
const MINUTE = 60_000;

/** The shared notes, and a fleet in which things happen; servers come and go. */
function createTrial() {
  const clock = createVirtualClock();
  const start = clock.now();
  const random = seeded(SEED);
  const notes = new Map<string, ToldNote>();
  const counts: Record<string, number> = {};
  let view: ToldView = QUIET;
  let extra: ToldEvent[] = [];
  const now = () => NOW + clock.now() - start;
  const trial = {
    clock,
    notes,
    counts,
    random,
    now,
    happens(change: Partial<ToldView>) {
      view = { ...view, ...change };
    },
    also(events: ToldEvent[]) {
      extra = events;
    },
    /** One server as the elected one. `noting` is called before each note is written. */
    serve(sink: Sink, noting: () => void = () => {}) {
      const term = new AbortController();
      const parts: OutboxParts = {
        store: {
          read: async (name) => notes.get(name) ?? null,
          async write(name, note) {
            noting();
            notes.set(name, note);
          },
        },
        events: () => ({ events: [...eventsOf(APP, view, now()), ...extra], view, now: now() }),
        counted: (_, result) => {
          counts[result] = (counts[result] ?? 0) + 1;
        },
        clock,
        random: random.next,
        log,
      };
      const outbox = startOutbox(sink, parts, term.signal);
      return {
        ring: outbox.ring,
        kill() {
          term.abort(new Error('killed'));
          return outbox.ended;
        },
      };
    },
    run: (ms: number) => clock.run(clock.monotonic() + ms),
  };
  return trial;
}

const recorder = (sent: Message[], send: (message: Message) => Promise<void> = async () => {}): Sink => ({
  name: 'ops',
  takes: () => true,
  async send(message) {
    await send(message);
    sent.push(message);
  },
});
const keysOf = (sent: readonly Message[]) => sent.map(({ event }) => event.key.replace(`${APP} `, ''));

const silent = (count: number): ToldEvent[] =>
  Array.from({ length: count }, (_, at) => ({
    key: `${APP} agent web-${at} silent 5`,
    what: 'agents-silent',
    at: NOW,
    app: APP,
    deployment: null,
    by: '',
    reason: 'been silent for 10 min',
    agents: [{ agentId: `web-${at}`, code: '' }],
    reached: 0,
    expected: 0,
  }));

async function settled(clock: VirtualClock, server: { kill(): Promise<void> }): Promise<void> {
  const ended = server.kill();
  await clock.run(clock.monotonic() + 1);
  await ended;
}

describe('an outbox', () => {
  it('begins after what there is, and then tells each event once, in order', async () => {
    const trial = createTrial();
    const sent: Message[] = [];
    trial.happens({ history: [recordOf(11, NOW - MINUTE, outcomeOf('proven', NOW - 1_000))] });
    const server = trial.serve(recorder(sent));
    await trial.run(1_000);
    trial.happens({ history: [recordOf(12, trial.now())] });
    server.ring();
    await trial.run(1_000);
    trial.happens({ history: [recordOf(12, trial.now() - 1_000, outcomeOf('failed', trial.now()))] });
    await trial.run(60 * MINUTE);
    expect(keysOf(sent)).toEqual(['d-12 begun', 'd-12 failed']);
    await settled(trial.clock, server);
  });

  it('keeps what a sink that is down missed, and delivers it in order when it is back', async () => {
    const trial = createTrial();
    const sent: Message[] = [];
    let down = false;
    let tries = 0;
    const server = trial.serve(
      recorder(sent, async () => {
        tries += 1;
        if (down) throw FleetError.of('NOT_DELIVERED', 'down');
      }),
    );
    await trial.run(1_000);
    down = true;
    const at = trial.now();
    trial.happens({ history: [recordOf(12, at, outcomeOf('proven', at + 1))] });
    server.ring();
    await trial.run(30 * MINUTE);
    expect(sent).toEqual([]);
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThan(200);
    down = false;
    await trial.run(2 * MINUTE);
    expect(keysOf(sent)).toEqual(['d-12 begun', 'd-12 proven']);
    await settled(trial.clock, server);
  });

  it('gives up what is an hour old, and what is refused five times, and goes on with the next', async () => {
    const trial = createTrial();
    const sent: Message[] = [];
    const server = trial.serve(
      recorder(sent, async ({ event }) => {
        if (event.what === 'begun') throw FleetError.of('DELIVERY_REFUSED', 'no');
      }),
    );
    await trial.run(1_000);
    const at = trial.now();
    trial.happens({ history: [recordOf(12, at, outcomeOf('proven', at + 1))] });
    await trial.run(10 * MINUTE);
    expect(keysOf(sent)).toEqual(['d-12 proven']);
    expect(trial.counts).toEqual({ failed: 5, 'given-up': 1, told: 1 });
    await settled(trial.clock, server);
  });

  it.each<[string, (at: number) => Partial<ToldView>]>([
    ['a halt that lasts', (at) => ({ history: [recordOf(12, at)], rollout: rolloutOf(12, 'halted') })],
    ['a deployment by a clock that is a day ahead', (at) => ({ history: [recordOf(12, at + 24 * 60 * MINUTE)] })],
  ])('tells %s once, also if other things happen hours later', async (_, happening) => {
    const trial = createTrial();
    const sent: Message[] = [];
    const server = trial.serve(recorder(sent));
    await trial.run(1_000);
    trial.happens(happening(trial.now()));
    await trial.run(MINUTE);
    const first = keysOf(sent);
    expect(first).not.toEqual([]);
    for (let number = 1; number <= 4; number += 1) {
      await trial.run(150 * MINUTE);
      const act = { number, kind: 'hold', by: 'ada', reason: 'no', at: trial.now(), what: '' };
      trial.happens({ acts: [act] });
      await trial.run(MINUTE);
    }
    expect(keysOf(sent)).toEqual([...first, ...[1, 2, 3, 4].map((number) => `a-${number} hold-set`)]);
    await settled(trial.clock, server);
  });

  it('keeps 200 events at most for one sink: the oldest are given up', async () => {
    const trial = createTrial();
    const sent: Message[] = [];
    const server = trial.serve(recorder(sent));
    await trial.run(1_000);
    const at = trial.now();
    trial.happens({ history: Array.from({ length: 250 }, (_, n) => recordOf(1_000 - n, at - n)) });
    await trial.run(MINUTE);
    expect(keysOf(sent)).toHaveLength(200);
    expect(trial.counts['given-up']).toBe(50);
    expect(keysOf(sent).at(-1)).toBe('d-1000 begun');
    await settled(trial.clock, server);
  });

  it('makes one message of many silent agents, with the names of all', async () => {
    const trial = createTrial();
    const sent: Message[] = [];
    const server = trial.serve(recorder(sent));
    await trial.run(1_000);
    trial.also(silent(500));
    await trial.run(MINUTE);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.event.agents).toHaveLength(500);
    trial.also(silent(503));
    await trial.run(MINUTE);
    expect(sent.map(({ keys }) => keys.length)).toEqual([500, 1, 1, 1]);
    await settled(trial.clock, server);
  });

  it('loses nothing when the server is killed between sending and noting, 50 times; doubles carry the same id', async () => {
    const trial = createTrial();
    const sent: Message[] = [];
    const first = trial.serve(recorder(sent));
    await trial.run(1_000);
    await settled(trial.clock, first);

    const expected: string[] = [];
    for (let round = 0; round < 50; round += 1) {
      const at = trial.now();
      const ending = trial.random.pick(['proven', 'failed', 'rolled-back'] as const);
      trial.happens({ history: [recordOf(100 + round, at, outcomeOf(ending, at + 1))] });
      expected.push(`d-${100 + round} begun`, `d-${100 + round} ${ending}`);
      if (round % 5 === 0) {
        trial.also(silent(4 + round));
        expected.push(`digest ${round}`);
      }
      // Dies at the note after one of its messages; the next server takes over.
      let left = trial.random.below(3);
      const dead = { now: false };
      const dying = trial.serve(
        recorder(sent, async () => {}),
        () => {
          if (dead.now || (sent.length > 0 && left-- <= 0)) {
            dead.now = true;
            throw new Error('killed before noting');
          }
        },
      );
      await trial.run(10);
      await settled(trial.clock, dying);
      const next = trial.serve(recorder(sent));
      await trial.run(MINUTE);
      await settled(trial.clock, next);
    }

    const ids = new Map<string, Set<string>>();
    for (const { id, keys } of sent) {
      for (const key of keys) ids.set(key, (ids.get(key) ?? new Set()).add(id));
    }
    expect([...ids].filter(([, of]) => of.size !== 1)).toEqual([]);
    const deployments = expected.filter((each) => !each.startsWith('digest'));
    expect(deployments.filter((key) => !ids.has(`${APP} ${key}`))).toEqual([]);
    expect(silent(49).filter(({ key }) => !ids.has(key))).toEqual([]);
    // Some were sent twice: the kills hit.
    expect(sent.length).toBeGreaterThan(new Set(sent.map(({ id }) => id)).size + 20);
  });

  it('gives ids that a receiver of Standard Webhooks takes', () => {
    expect(idOf(`${APP} agent web.7 silent 5`)).toMatch(/^gf_[0-9a-f]{32}$/);
  });
});
