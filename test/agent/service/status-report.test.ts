import { expect, it } from 'vitest';
import { reportStatus } from '../../../agent/service/status-report.ts';
import { emptyJournal } from '../../../agent/state/journal.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { Report } from '../../../schemas/report.ts';
import type { TargetVersion } from '../../../schemas/values.ts';

it('says whether a failure is tried again, also one that names a person', () => {
  const said: Report[] = [];
  const reporter = { say: (report: Report) => void said.push(report) };
  const listener = reportStatus({ reporter, clock: systemClock, agentId: 'web-1', agentVersion: '0.1.0' });
  const failure = { code: 'AUTH', reason: 'git@host refused the key', hint: 'give it a key', next: 'stall' } as const;
  const wanted = { kind: 'refused', targetVersion: '5.100' as TargetVersion, failure } as const;
  for (const retryInMs of [60_000, null]) {
    listener.rest?.({ wanted, because: { kind: 'failed', failure, retryInMs }, journal: emptyJournal });
    listener.rest?.({
      wanted: { kind: 'nothing', why: 'no target' },
      because: { kind: 'waiting', waitingFor: 'a target' },
      journal: emptyJournal,
    });
  }
  expect(said.map(({ phase, retries }) => [phase, retries])).toEqual([
    ['failed', true],
    ['waiting', false],
    ['failed', false],
    ['waiting', false],
  ]);
});
