import { describe, expect, it } from 'vitest';
import { type RetryDecision, retry } from '../../publisher/retry.ts';
import { policyLines, waveLines, wavesNow } from '../../publisher/screens/policy-lines.ts';
import { policy } from '../../schemas/policy.ts';
import { presence } from '../../schemas/report.ts';
import { ROLLOUT_STATES, type RolloutState, rollout } from '../../schemas/rollout.ts';
import { parsePolicyFile } from '../../schemas/settings/policy-file.ts';
import { agent } from './fixtures.ts';

const TABLE: Record<RolloutState, RetryDecision> = {
  ...{ running: 'nothing', paused: 'nothing', halted: 'publish', proven: 'nothing' },
  ...{ failed: 'publish', aborted: 'publish', 'rolled-back': 'refuse' },
};

describe('retry', () => {
  it.each(ROLLOUT_STATES)('while %s', (state) => {
    expect(retry(rollout().parse({ deployment: 7, targetVersion: '1a.1', state }))).toBe(TABLE[state]);
  });

  it('tries those again that a proven rollout went on without', () => {
    const failures = [{ agentId: 'web-1', code: 'HEALTH_FAILED' }];
    expect(retry(rollout().parse({ deployment: 7, targetVersion: '1a.1', state: 'proven', failures }))).toBe('publish');
  });
});

describe('a policy file', () => {
  it('is YAML or JSON', () => {
    const wanted = policy().parse({ canary: 'role=canary', maxParallel: '10%', soak: '5m' });
    expect(parsePolicyFile('canary: role=canary\nmaxParallel: 10%\nsoak: 5m # watched\n', 'p.yml')).toEqual(wanted);
    expect(parsePolicyFile('{"canary":"role=canary","maxParallel":"10%","soak":"5m"}', 'p.yml')).toEqual(wanted);
  });

  it.each([
    ['max_parallel: 1', 'unknown "max_parallel": did you mean maxParallel?'],
    ['soak: 5', 'soak: must be a duration such as 10s or 5m'],
    [
      'canary: 0',
      'canary: must be a whole number from 1, a share such as 10%, or labels with their values, such as role=canary',
    ],
    ['onFailure: explode', 'onFailure: must be rollback, pause or continue'],
    ['canary: 1\ncanary: 2', '"p.yml": line 2, column 1: duplicate key'],
    ['maxParallel: 150%', 'maxParallel: must be a whole number from 1, or a share from 1% to 100%'],
    ['maxParallel: 0', 'maxParallel: must be a whole number from 1, or a share from 1% to 100%'],
    ['maxParallel: [1]', 'maxParallel: must be a whole number from 1, or a share from 1% to 100%'],
    ['failureBudget: 1.5', 'failureBudget: must be a whole number from 0, or a share from 0% to 100%'],
    ['byLabel: 1', 'byLabel: must be text; quote numbers and true or false'],
    ['- 1', '"p.yml": is no list of settings such as canary and maxParallel'],
    ['', '"p.yml": is no list of settings such as canary and maxParallel'],
    ['hello', '"p.yml": is no list of settings such as canary and maxParallel'],
    ['a: &a [*a]', 'aliases have no place in a policy'],
  ])('%j is refused with what is wrong', (text, reason) => {
    expect(() => parsePolicyFile(text, 'p.yml')).toThrow(
      expect.objectContaining({ code: 'POLICY', message: expect.stringContaining(reason) }),
    );
  });
});

it('the waves of now are those of who would take part', () => {
  const view = (agentId: string, online = true) => {
    const card = { agentId, instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: 0 };
    return {
      agentId,
      presence: online ? presence().parse(card) : null,
      report: null,
      reportedAt: null,
      onlineSince: online ? 0 : null,
    };
  };
  const fleet = [view('web-1'), view('web-2', false), ...Array.from({ length: 30 }, (_, n) => view(`web-${n + 3}`))];
  const rule = policy().parse({ canary: 1, maxParallel: 2 });
  const waves = wavesNow(rule, fleet);
  expect(waves.slice(0, 2)).toEqual([['web-1'], ['web-10', 'web-11']]);
  expect(waves.flat()).not.toContain('web-2');
  expect(waveLines(rule, fleet)).toHaveLength(13);
  expect(waveLines(rule, fleet)[0]).toBe('  canary: web-1');
  expect(waveLines(rule, [])).toEqual(['  no agent is online: on a server, gitfleet agent run']);
  expect(waveLines(rule, [agent('web-1', { phase: 'suspended' }), view('web-2', false)])).toEqual([
    '  every agent that is online is suspended: on the server of web-1, gitfleet agent resume',
  ]);
});

it('a canary that its selector does not find is none, and nobody goes before it', () => {
  const fleet = [agent('web-1'), agent('web-2', { online: { labels: { role: 'canary' } } })];
  const rule = policy().parse({ canary: 'role=canary' });
  expect(policyLines('/app', rule, fleet).slice(-3)).toEqual([
    '/app: a deployment would now roll out in these waves',
    '  canary: web-2',
    '  wave 1: web-1',
  ]);
  const without = [agent('web-1'), agent('web-3')];
  expect(wavesNow(rule, without)).toEqual([]);
  expect(policyLines('/app', rule, without).slice(-2)).toEqual([
    '/app: no agent would take part in a deployment now',
    '  canary: no agent that is online is chosen by role=canary: no agent would activate until one is',
  ]);
});
