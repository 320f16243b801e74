import { describe, expect, it } from 'vitest';
import { partOf } from '../../publisher/agent-part.ts';
import { historyLines } from '../../publisher/screens/history-screen.ts';
import type { Deployment, Outcome } from '../../schemas/deployment.ts';
import { HOUR, NOW, outcome, record, SCREEN } from './fixtures.ts';

const missing = (...codes: string[]) => codes.map((code, at) => ({ agentId: `web-${at + 1}`, code }));
const ended = (over: Partial<Outcome>) => record({ outcome: { ...outcome('failed', 1, 3), ...over } });
const many = missing(...Array(20).fill('offline'));

describe('what a record says of an agent', () => {
  it.each([
    [
      'that it missed it, and why',
      ended({ missing: missing('offline', 'HEALTH_FAILED') }),
      0,
      'missed',
      'HEALTH_FAILED',
    ],
    ['that it reached it, where others missed it', ended({ missing: missing('offline') }), 0, 'reached', null],
    ['nothing of an agent that had not reported yet', ended({ missing: [] }), NOW, 'unknown', null],
    ['nothing of an agent without a report', ended({ missing: [] }), null, 'unknown', null],
    [
      'nothing where more missed it than are named',
      ended({ missing: many.slice(2).concat(many.slice(0, 1), { agentId: 'db', code: 'x' }) }),
      0,
      'unknown',
      null,
    ],
    ['nothing before it is judged', record(), 0, 'open', null],
  ])('is %s', (_, said, first, state, code) => {
    const reported = first === null ? null : { first, last: NOW };
    expect(partOf(said, { agentId: 'web-2', reported })).toEqual({ state, code });
  });

  it('is nothing of an agent that has not reported since: it left for good, or was entered and never came', () => {
    const said = ended({ missing: [] });
    const lastAt = (last: number, record = said) => partOf(record, { agentId: 'web-2', reported: { first: 0, last } });
    expect(lastAt(said.at - 1).state).toBe('unknown');
    expect(lastAt(said.at).state).toBe('reached');
    // A foreign write may get its record after the agents have reported about it.
    expect(lastAt(said.at - 1, { ...said, adopts: `a1.${said.at - 2}` }).state).toBe('reached');
  });
});

it('history shows it in a column of its own, and dates with --utc', () => {
  const rows = [ended({ missing: missing('offline', 'HEALTH_FAILED') }), record({ number: 6, at: NOW - 26 * HOUR })];
  const part = (of: Deployment) => partOf(of, { agentId: 'web-2', reported: { first: 0, last: NOW } });
  const lines = historyLines(rows, 7, SCREEN, { part, utc: true });
  expect(lines).toEqual([
    '* d-7  9dbcdf1ee3  failed    1/3  missed: HEALTH_FAILED  2026-11-21 02:55 UTC  ann  Prices go up',
    '  d-6  9dbcdf1ee3  unjudged       open                   2026-11-20 01:00 UTC  ann  Prices go up',
  ]);
});

it('acts from before --since are left out, those between it and the oldest deployment shown are not', () => {
  const act = (number: number, hours: number) => ({
    ...{
      number,
      kind: 'hold' as const,
      what: '',
      reason: 'why',
      by: 'ann',
      at: NOW - hours * HOUR,
      nonce: '',
      chain: null,
    },
  });
  const rows = [record({ at: NOW - HOUR }), record({ number: 6, at: NOW - 9 * HOUR })];
  const shown = { most: 1, acts: [act(2, 2), act(1, 4)], from: NOW - 3 * HOUR };
  expect(historyLines(rows, 7, SCREEN, shown).map((line) => line.slice(0, 6).trim())).toEqual(['* d-7', 'a-2']);
});
