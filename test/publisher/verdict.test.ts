import { describe, expect, it } from 'vitest';
import type { AgentView } from '../../fleet/fleet-view.ts';
import { judgeDeployment, outcomeOfVerdict, stateAfter } from '../../publisher/verdict.ts';
import type { NextStep } from '../../runtime/errors.ts';
import type { Phase, Presence, Report } from '../../schemas/report.ts';

const VERSION = '5.100';
function agent(
  agentId: string,
  online: boolean,
  phase: Phase | null,
  over: Partial<Report> & { next?: NextStep } = {},
): AgentView {
  const { next, ...rest } = over;
  const error = next ? { code: 'FETCH_FAILED', reason: 'no', hint: '', next } : null;
  const report = phase && ({ agentId, targetVersion: VERSION, phase, error, attempts: 1, ...rest } as Report);
  return {
    agentId,
    presence: online ? ({ agentId } as Presence) : null,
    report,
    reportedAt: report && 1,
    onlineSince: online ? 1 : null,
  };
}
const verdictOf = (fleet: AgentView[]) => judgeDeployment(fleet, new Set(fleet.map((view) => view.agentId)), VERSION);

describe('the verdict over a fleet', () => {
  it('is converged when every expected agent is active at this target', () => {
    expect(verdictOf([agent('a', true, 'active'), agent('b', true, 'active')])).toMatchObject({
      state: 'converged',
      reached: 2,
    });
  });

  it('does not count what an agent said about another target', () => {
    const other = agent('b', true, 'active', { targetVersion: '4.99' });
    expect(verdictOf([agent('a', true, 'active'), other])).toMatchObject({ state: 'running', reached: 1, expected: 2 });
  });

  it('is not converged when nobody is expected', () => {
    expect(judgeDeployment([agent('a', true, 'active')], new Set(), VERSION).state).toBe('no-agents');
  });

  it('goes on while a failure is retried', () => {
    expect(verdictOf([agent('a', true, 'failed', { next: 'retry' })]).state).toBe('running');
  });

  it('is failed only when the others have settled', () => {
    const stalled = agent('a', true, 'failed', { next: 'stall' });
    expect(verdictOf([stalled, agent('b', true, 'fetching')]).state).toBe('running');
    expect(verdictOf([stalled, agent('b', true, 'active')])).toMatchObject({
      state: 'failed',
      reached: 1,
      expected: 2,
    });
  });

  it('waits for an expected agent that went offline, and counts one that finished first', () => {
    expect(verdictOf([agent('a', false, 'fetching'), agent('b', true, 'active')]).state).toBe('running');
    expect(verdictOf([agent('a', false, 'active'), agent('b', true, 'active')]).state).toBe('converged');
  });

  it('names for the record who is missing and why', () => {
    const verdict = verdictOf([
      agent('a', true, 'failed', { next: 'stall' }),
      agent('b', false, null),
      agent('c', true, null),
    ]);
    expect(outcomeOfVerdict(verdict, 'failed', 1, 'me').missing).toEqual([
      { agentId: 'a', code: 'FETCH_FAILED' },
      { agentId: 'b', code: 'offline' },
      { agentId: 'c', code: 'silent' },
    ]);
  });
});

it('beside a bad ending no state says that it is running', () => {
  for (const ending of ['failed', 'rolled-back', 'halted', 'aborted'] as const) {
    expect(stateAfter(ending, 'running')).toBe('failed');
  }
  expect(stateAfter('timed-out', 'running')).toBe('running');
  expect(stateAfter('superseded', 'running')).toBe('running');
  expect(stateAfter('converged', 'running')).toBe('converged');
});
