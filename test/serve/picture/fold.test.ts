import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseHold, parseQuarantine } from '../../../schemas/hold.ts';
import { parsePolicy } from '../../../schemas/policy.ts';
import { deltaShape, snapshotShape, statusShape } from '../../../serve/api/shapes.ts';
import { statusAnswer } from '../../../serve/http/answers.ts';
import { snapshotOf } from '../../../serve/http/stream.ts';
import { columnsOf, rowsOf } from '../../../serve/picture/columns.ts';
import { differenceOf } from '../../../serve/picture/difference.ts';
import { fold } from '../../../serve/picture/fold.ts';
import type { State } from '../../../serve/picture/state.ts';
import { agent, MIXED, NEW, NOW, ODD, outcome, record, THOUSAND, VERSION } from '../../publisher/fixtures.ts';
import { SEED, seeded } from '../../support/seeded.ts';
import { inWaves, LONG_HISTORY, seenOf } from './seen-of.ts';

const FRESH = { now: NOW, asOf: NOW - 400, clock: 'ensemble', zookeeper: { state: 'connected', stale: null } } as const;
const HEAD = { app: '/app/shop', version: '0.1.0', links: [] };
const snapshot = (state: State) => snapshotOf(state, HEAD, FRESH);

describe('the state that a reading is folded to', () => {
  it('says of each agent what gitfleet status says', () => {
    const state = fold(seenOf(MIXED), NOW);
    const standings = [...state.agents.values()].map(({ agentId, standing }) => [agentId, standing]);
    expect(Object.fromEntries(standings)).toEqual({
      'db-1': 'suspended',
      'web-1': 'active',
      'web-2': 'working',
      'web-3': 'failed',
      'web-4': 'working',
      'web-5': 'offline',
      'web-6': 'silent',
      'web-7': 'working',
      'web-8': 'failed',
      'web-9': 'overridden',
    });
    expect(state).toMatchObject({ reached: 1, expected: 8, counts: { failed: 2, working: 3, offline: 1 } });
    expect(state.deployment?.number).toBe(7);
  });

  it.each([
    ['agents of each kind', seenOf(MIXED)],
    ['names that look like something else', seenOf(ODD)],
    ['a thousand agents and a long history', seenOf(THOUSAND, { deployments: LONG_HISTORY })],
    ['nothing at all', seenOf([], { config: null, deployments: [] })],
    [
      'a state of a newer version',
      seenOf(MIXED, { rollout: { rollout: null, foreign: { state: 'x', targetVersion: VERSION } } }),
    ],
    [
      'waves',
      seenOf(THOUSAND, { rollout: inWaves({ members: ['web-0001'], policy: parsePolicy(Buffer.from('{}')).value }) }),
    ],
  ])('fits the shapes of the API: %s', (_, seen) => {
    const state = fold(seen, NOW);
    expect(() => snapshotShape.parse(snapshot(state))).not.toThrow();
    expect(() => statusShape.parse(statusAnswer(state, HEAD, FRESH))).not.toThrow();
  });

  it('is at most 60 kB for a thousand agents, compressed, with 200 deployments in it', () => {
    const random = seeded(SEED);
    // Nothing is alike that differs in life: times, tries, names of hosts.
    const agents = THOUSAND.map((view) => {
      const reportedAt = NOW - random.below(90_000_000);
      const host = `ip-10-${random.below(256)}-${random.below(256)}-${random.below(256)}.internal`;
      const labels = {
        role: random.pick(['web', 'db']),
        zone: random.pick(['a', 'b', 'c']),
        rack: `r${random.below(99)}`,
      };
      const presence = view.presence && { ...view.presence, host, labels };
      const report = view.report && {
        ...view.report,
        attempts: random.below(9),
        phaseAt: reportedAt,
        at: reportedAt + 9,
      };
      return { ...view, presence, report, reportedAt, onlineSince: NOW - random.below(90_000_000) };
    });
    const state = fold(seenOf(agents, { deployments: LONG_HISTORY }), NOW);
    const text = JSON.stringify(snapshot(state));
    expect(gzipSync(text).length).toBeLessThan(60_000);
    expect(gzipSync(text).length).toBeGreaterThan(25_000);
    expect(state.agents.size).toBe(1_000);
    expect(state.history).toHaveLength(200);
  });

  it('bounds what one agent can add to it, whatever the agent writes', () => {
    const long = 'x'.repeat(100_000);
    const labels = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`l${n}-${long}`, long]));
    const loud = agent('web-1', {
      online: { labels, host: long, problem: long, agentVersion: long },
      error: { code: long, reason: long, hint: long, next: 'retry' },
      waitingFor: long,
      activeCommit: long,
      suspended: { by: long, reason: long, at: NOW },
    });
    const row = JSON.stringify(fold(seenOf([loud]), NOW).agents.get('web-1'));
    expect(row.length).toBeLessThan(15_000);
    expect(row.length).toBeGreaterThan(3_000);
  });

  it('hides the secret of a url that another program wrote, and sends no envelope', () => {
    const target = {
      url: 'https://ann:secret@git.example.com/a.git',
      commitId: NEW,
      relativePath: 'a',
      signed: 'S'.repeat(50),
      signature: 'S'.repeat(50),
    };
    const state = fold(seenOf([], { deployments: [{ record: record({ target }), targetVersion: VERSION }] }), NOW);
    expect(JSON.stringify(state.history)).not.toMatch(/secret|SSS/);
    expect(state.history[0]?.target).toMatchObject({ signed: true, commitId: NEW });
  });

  it('shows a hold until its end', () => {
    const hold = parseHold(Buffer.from(JSON.stringify({ by: 'ann', reason: 'sale', at: NOW - 1, end: NOW + 10 })));
    expect(fold(seenOf([], { hold }), NOW + 9).hold).toMatchObject({ by: 'ann', reason: 'sale' });
    expect(fold(seenOf([], { hold }), NOW + 10).hold).toBeNull();
  });

  it('names the part of each agent in waves, and the sizes of the waves to come', () => {
    const policy = parsePolicy(Buffer.from(JSON.stringify({ canary: 1, maxParallel: 2 }))).value;
    const agents = [
      agent('a'),
      agent('b', { phase: 'fetching' }),
      ...['c', 'd', 'e', 'f', 'g'].map((id) => agent(id, { phase: 'awaiting' })),
    ];
    const state = fold(seenOf(agents, { rollout: inWaves({ members: ['b'], canary: ['a'], wave: 1, policy }) }), NOW);
    const parts = [...state.agents.values()].map(({ agentId, part, canary }) => `${agentId} ${part} ${canary}`);
    expect(parts.slice(0, 3)).toEqual(['a done true', 'b now false', 'c later false']);
    expect(state.rollout).toMatchObject({ waves: true, wave: 1, ahead: [2, 2, 1] });
  });

  it('says nothing of a rollout whose target is no longer the current one', () => {
    const state = fold(seenOf(MIXED, { rollout: inWaves({ targetVersion: '1e.1795229000000' }) }), NOW);
    expect(state.rollout).toBeNull();
    expect([...state.agents.values()].every(({ part }) => part === null)).toBe(true);
  });

  it('finds what stops deployments, and says what to do', () => {
    const seen = seenOf(
      [{ ...agent('web-1'), falsePresence: true }, agent('web-2', { online: { problem: 'NO_AUTH' } })],
      {
        quarantine: parseQuarantine(Buffer.from('[]')),
        policy: parsePolicy(Buffer.from('{')),
        missing: ['serve'],
        rollout: inWaves(),
      },
    );
    const { findings } = fold(seen, NOW);
    expect(findings.map(({ check, verdict }) => `${verdict} ${check}`)).toEqual([
      'fail quarantine',
      'fail policy',
      'fail coordinator',
      'fail presence',
      'fail report',
      'warn rights',
    ]);
    expect(findings.every(({ hint }) => hint.length > 10)).toBe(true);
    expect(fold(seenOf(MIXED, { coordinator: 'web-1' }), NOW).findings).toEqual([]);
    expect(fold(seenOf([], { config: null }), NOW).findings).toMatchObject([{ check: 'app', verdict: 'fail' }]);
  });
});

describe('a delta', () => {
  it('makes the one state of the other, for every pair of states', () => {
    const states = [
      seenOf(MIXED),
      seenOf(MIXED.slice(2)),
      seenOf([...MIXED, ...ODD], { coordinator: 'web-1' }),
      seenOf(MIXED, {
        rollout: inWaves({ members: ['web-2'] }),
        deployments: [...LONG_HISTORY.slice(-3), ...seenOf([]).deployments],
      }),
      seenOf(THOUSAND, { deployments: LONG_HISTORY }),
    ].map((seen) => fold(seen, NOW));
    for (const before of states)
      for (const after of states) {
        const difference = differenceOf(before, after);
        if (before === after) expect(difference).toBeNull();
        if (difference) deltaShape.parse({ ...FRESH, ...difference });
        // Records are added, and not taken away.
        if (before.history.length <= after.history.length) expect(applied(before, difference)).toEqual(plain(after));
      }
  });

  it('has nothing but what changed', () => {
    const before = fold(seenOf(THOUSAND), NOW);
    const moved = THOUSAND.map((view) =>
      view.agentId === 'web-0005' ? agent('web-0005', { phase: 'fetching' }) : view,
    );
    const judged = [{ record: record({ outcome: outcome('failed', 1, 2) }), targetVersion: VERSION }];
    const difference = differenceOf(before, fold(seenOf(moved, { deployments: judged }), NOW));
    expect(Object.keys(difference?.changed ?? {}).toSorted()).toEqual(['counts', 'deployment', 'reached']);
    expect(difference?.agents?.agentId).toEqual(['web-0005']);
    expect(difference?.history.map(({ number }) => number)).toEqual([7]);
  });

  it('keeps agents whole when they are turned into columns and back', () => {
    const rows = [...fold(seenOf(MIXED), NOW).agents.values()];
    expect(rowsOf(columnsOf(rows))).toEqual(rows);
  });
});

/** As a viewer applies it. */
function applied(state: State, difference: ReturnType<typeof differenceOf>) {
  const agents = new Map(state.agents);
  for (const id of difference?.gone ?? []) agents.delete(id);
  for (const row of difference?.agents ? rowsOf(difference.agents) : []) agents.set(row.agentId, row);
  const grown = <T extends { number: number }>(old: readonly T[], fresh: readonly T[]) =>
    [...new Map([...old, ...fresh].map((each) => [each.number, each])).values()]
      .toSorted((a, b) => b.number - a.number)
      .slice(0, 200);
  const history = grown(state.history, difference?.history ?? []);
  return plain({
    ...state,
    ...difference?.changed,
    agents,
    history,
    acts: grown(state.acts, difference?.acts ?? []),
  } as State);
}

const plain = ({ agents, ...rest }: State) => ({ ...rest, agents: Object.fromEntries(agents) });
