import { expect, it } from 'vitest';
import { PHASES, parseReport } from '../../schemas/report.ts';

const report = { agentId: 'web-1', targetVersion: '5.100', phase: 'active', activeCommit: null, phaseAt: 1, at: 2 };
const read = (value: object) => parseReport(Buffer.from(JSON.stringify(value)));

it.each(PHASES)('reads the phase %s', (phase) => {
  expect(read({ ...report, phase })?.phase).toBe(phase);
});

it('reads a report of a newer agent: unknown members are dropped, an unknown phase is neither an end nor a failure', () => {
  const newer = read({ ...report, phase: 'dancing', tomorrow: { a: 1 } });
  expect(newer).toMatchObject({ agentId: 'web-1', phase: 'waiting', output: null, suspended: null });
  expect(newer).not.toHaveProperty('tomorrow');
});

it.each([[{}], [{ ...report, agentId: 1 }], [{ ...report, phase: undefined, phaseAt: 'x' }], [[]]])(
  'reads nothing from what is no report',
  (value) => {
    expect(read(value)).toBeNull();
  },
);
