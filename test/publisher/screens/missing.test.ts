import { describe, expect, it } from 'vitest';
import type { DeploymentProgress } from '../../../publisher/follow.ts';
import { historyLines } from '../../../publisher/screens/history-screen.ts';
import { verdictLines } from '../../../publisher/screens/progress-lines.ts';
import { statusLines } from '../../../publisher/screens/status-screen.ts';
import { type Ending, judgeDeployment, outcomeOfVerdict } from '../../../publisher/verdict.ts';
import type { Rollout } from '../../../schemas/rollout.ts';
import { agent, DAY, HOUR, NOW, OLD, outcome, picture, record, SCREEN, VERSION } from '../fixtures.ts';

const OLDER = '1e.1795229000000';
const away = (id: string, reportedAt = NOW - 2 * HOUR) =>
  agent(id, { online: false, reportedAt, targetVersion: OLDER, activeCommit: OLD });
const fleet = [agent('web-1'), agent('web-2'), away('web-3'), away('old-1', NOW - 8 * DAY)];
const verdict = judgeDeployment(fleet, new Set(['web-1', 'web-2']), VERSION);

function said(ending: Ending, over: Partial<DeploymentProgress> = {}): string {
  const progress = {
    ...{ verdict, elapsedMs: 3_000, ending, stale: null, supersededBy: null, wayBack: null },
    ...{ rollout: null, isLed: true, reason: '', ...over },
  };
  const followed = { record: record(), targetVersion: VERSION, previous: null };
  return verdictLines(progress, ending, followed, NOW).join('\n');
}

describe('every verdict names whom it does not count', () => {
  it.each<Ending>(['converged', 'failed', 'halted', 'aborted', 'timed-out'])('%s: the offline', (ending) => {
    expect(said(ending)).toContain('2/2 online agents at 9dbcdf1ee3');
    expect(said(ending)).toContain(', 1 offline: web-3 (last report 2 h ago; catches up automatically)');
    // It is gone for good: offline for more than seven days.
    expect(said(ending)).not.toContain('old-1');
  });

  it('an agent that went offline while it was waited for', () => {
    const left = judgeDeployment(fleet, new Set(['web-1', 'web-2', 'web-3']), VERSION);
    expect(said('timed-out', { verdict: left })).toContain('1 offline: web-3');
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
    expect(said('converged', { verdict: all })).toBe('d-7 9dbcdf1ee3: 1/1 agents at 9dbcdf1ee3 in 3.0 s');
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
