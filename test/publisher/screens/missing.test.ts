import { describe, expect, it } from 'vitest';
import type { DeploymentProgress } from '../../../publisher/follow.ts';
import { historyLines } from '../../../publisher/screens/history-screen.ts';
import { createProgressLines, progressFrame, verdictLines } from '../../../publisher/screens/progress-lines.ts';
import { statusLines } from '../../../publisher/screens/status-screen.ts';
import { type Ending, judgeDeployment, outcomeOfVerdict } from '../../../publisher/verdict.ts';
import type { Rollout } from '../../../schemas/rollout.ts';
import { agent, DAY, HOUR, NOW, OLD, outcome, picture, record, SCREEN, VERSION, WINDOW } from '../fixtures.ts';

const OLDER = '1e.1795229000000';
const away = (id: string, reportedAt = NOW - 2 * HOUR) =>
  agent(id, { online: false, reportedAt, targetVersion: OLDER, activeCommit: OLD });
const fleet = [agent('web-1'), agent('web-2'), away('web-3'), away('old-1', NOW - 8 * DAY)];
const verdict = judgeDeployment(fleet, new Set(['web-1', 'web-2']), VERSION);

const followed = { record: record(), targetVersion: VERSION, previous: null };

const progressOf = (over: Partial<DeploymentProgress>): DeploymentProgress => ({
  ...{ verdict, elapsedMs: 3_000, ending: null, stale: null, supersededBy: null, wayBack: null },
  ...{ rollout: null, isLed: true, reason: '', ...over },
});

const said = (ending: Ending, over: Partial<DeploymentProgress> = {}): string =>
  verdictLines(progressOf({ ending, ...over }), ending, followed, NOW).join('\n');

const ENDINGS: readonly Ending[] = [
  ...(['converged', 'failed', 'rolled-back', 'halted', 'aborted', 'superseded', 'timed-out', 'no-agents'] as const),
];

describe('the lines at the end', () => {
  it.each(ENDINGS)('%s: the verdict is the first, and no count follows it', (ending) => {
    const [verdict, ...after] = said(ending, { supersededBy: record({ number: 8, by: 'bob' }) }).split('\n');
    expect(verdict).toMatch(/^d-7 9dbcdf1ee3/);
    expect(after.join('\n')).not.toMatch(/\d\/\d|waiting/);
  });

  it('name what superseded it, and who published that', () => {
    expect(said('superseded', { supersededBy: record({ number: 8, by: 'bob' }) })).toContain(
      'd-7 9dbcdf1ee3 was superseded by d-8 9dbcdf1ee3, published by bob (2/2 online agents at 9dbcdf1ee3)',
    );
  });

  it('have the count of the screens before them', () => {
    const waiting = judgeDeployment(fleet, new Set(['web-1', 'web-2', 'web-3']), VERSION);
    const progress = progressOf({ verdict: waiting, elapsedMs: 11_000, ending: null });
    const count = '2/2 online agents at 9dbcdf1ee3';
    const expected = `  ${count} after 11 s; waiting for web-3 (offline)`;
    expect(createProgressLines(followed, () => NOW).next(progress)).toContain(expected);
    expect(progressFrame(progress, followed, WINDOW, 20).at(-1)).toBe(`d-7: ${count}, 11 s; waiting for web-3`);
    expect(statusLines(picture(fleet), SCREEN).join('\n')).toContain(count);
  });

  it.each<Ending>(['converged', 'failed', 'halted', 'aborted', 'timed-out'])(
    '%s: how close together the agents swapped, if the policy says so',
    (ending) => {
      const swapped = (at: number) => ({ instant: NOW, at: NOW + at, errorMs: 2, waited: true });
      const both = [agent('web-1', { swapped: swapped(3) }), agent('web-2', { swapped: swapped(31) })];
      const together = judgeDeployment(both, new Set(['web-1', 'web-2']), VERSION);
      expect(said(ending, { verdict: together })).toContain('; 2 agents swapped within 28 ms, clocks to 4 ms');
      expect(said(ending)).not.toContain('swapped');
    },
  );
});

describe('every verdict names whom it does not count', () => {
  it.each<Ending>(['converged', 'failed', 'halted', 'aborted', 'timed-out'])('%s: the offline', (ending) => {
    expect(said(ending)).toContain('2/2 online agents at 9dbcdf1ee3');
    expect(said(ending)).toContain(', 1 offline: web-3 (last report 2 h ago; catches up automatically)');
    // It is gone for good: offline for more than seven days.
    expect(said(ending)).not.toContain('old-1');
  });

  it('an agent that went offline while it was waited for', () => {
    const left = judgeDeployment(fleet, new Set(['web-1', 'web-2', 'web-3']), VERSION);
    expect(said('timed-out', { verdict: left })).toContain(
      'd-7 9dbcdf1ee3 still running after 3.0 s: 2/2 online agents at 9dbcdf1ee3, 1 offline: web-3 (',
    );
  });

  it('an agent that reached the target and went offline then is not counted as online', () => {
    const gone = [agent('web-1'), agent('web-2', { online: false })];
    const both = judgeDeployment(gone, new Set(['web-1', 'web-2']), VERSION);
    expect(said('converged', { verdict: both })).toBe(
      'd-7 9dbcdf1ee3: 1/1 online agents at 9dbcdf1ee3 in 3.0 s, 1 offline: web-2 (last report 5 min ago)',
    );
  });

  it('the late, the excused and the failed of a rollout, each with its code', () => {
    const rollout = picture([], {}, { state: 'proven', late: ['web-5'], excused: ['web-4'] }).rollout as Rollout;
    const failures = [
      { agentId: 'web-4', code: 'HEALTH_FAILED', reason: '' },
      { agentId: 'web-5', code: 'DEADLINE', reason: '' },
      { agentId: 'web-6', code: 'NO_SPACE', reason: '' },
    ];
    expect(said('converged', { rollout: { ...rollout, failures } })).toContain(
      '; without web-4: excused, HEALTH_FAILED, web-5: late, DEADLINE, web-6: NO_SPACE',
    );
  });

  it('nothing where nobody is missing', () => {
    const all = judgeDeployment([agent('web-1')], new Set(['web-1']), VERSION);
    expect(said('converged', { verdict: all })).toBe('d-7 9dbcdf1ee3: 1/1 online agents at 9dbcdf1ee3 in 3.0 s');
  });

  it('in status', () => {
    expect(statusLines(picture(fleet), SCREEN).join('\n')).toContain(
      '2/2 online agents at 9dbcdf1ee3, 2 offline: web-3, old-1',
    );
  });

  it('in the record and in history', () => {
    expect(outcomeOfVerdict(verdict, 'proven', NOW, 'ann')).toMatchObject({
      ...{ reached: 2, expected: 3 },
      missing: [{ agentId: 'web-3', code: 'offline' }],
    });
    const missing = [{ agentId: 'web-3', code: 'offline' }];
    const lines = historyLines([record({ outcome: { ...outcome('proven', 2, 3), missing } })], 7, SCREEN);
    expect(lines.join('\n')).toContain('(without web-3: offline)');
  });
});
