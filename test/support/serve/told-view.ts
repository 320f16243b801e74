import type { ToldAgent, ToldRecord, ToldRollout, ToldView } from '../../../serve/tell/view.ts';

export const APP = '/app/business';
export const NOW = Date.UTC(2026, 11, 1, 12);
export const COMMIT = '9dbcdf1ee3'.padEnd(40, '0');

/** A state in which nothing happened. */
export const QUIET: ToldView = {
  target: { url: 'https://github.com/acme/shop.git', commitId: COMMIT },
  rollout: null,
  history: [],
  acts: [],
  agents: new Map(),
  reached: 0,
  expected: 0,
};

export const recordOf = (number: number, at: number, outcome: ToldRecord['outcome'] = null): ToldRecord => ({
  number,
  target: { url: 'https://github.com/acme/shop.git', commitId: COMMIT },
  by: 'ada',
  reason: 'the new shop',
  at,
  ref: 'refs/heads/main',
  returnsTo: null,
  outcome,
});

export const outcomeOf = (
  state: string,
  at: number,
  rest: Partial<NonNullable<ToldRecord['outcome']>> = {},
): NonNullable<ToldRecord['outcome']> => ({
  state,
  at,
  reached: 1_000,
  expected: 1_000,
  missing: [],
  by: 'web-1',
  ...rest,
});

export const rolloutOf = (deployment: number, state: string, rest: Partial<ToldRollout> = {}): ToldRollout => ({
  deployment,
  state,
  reason: '',
  failures: [],
  steered: [],
  ...rest,
});

export const agentOf = (onlineSince: number | null, reportedAt: number | null = null): ToldAgent => ({
  onlineSince,
  reportedAt,
  error: null,
  standing: onlineSince === null ? 'offline' : 'active',
});
