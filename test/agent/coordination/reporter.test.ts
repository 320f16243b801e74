import { expect, it } from 'vitest';
import { createReporter } from '../../../agent/coordination/reporter.ts';
import type { Phase, Report } from '../../../schemas/report.ts';
import { parseReport } from '../../../schemas/report.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { silentLog } from '../../support/log.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const reportOf = (phase: Phase, targetVersion: string): Report =>
  parseReport(
    Buffer.from(JSON.stringify({ agentId: 'web-1', targetVersion, phase, activeCommit: null, phaseAt: 0, at: 0 })),
  ) as Report;

/** What is written when the stages begin at these times; the last one is where the agent rests. */
async function told(stages: readonly (readonly [atMs: number, phase: Phase])[]) {
  const clock = createVirtualClock();
  const written: string[] = [];
  const session = {
    async set(_: string, data: Buffer) {
      written.push(`${clock.monotonic()} ${parseReport(data)?.phase}`);
    },
  } as unknown as Session;
  const reporter = createReporter({
    ...{
      session,
      path: '/x/agents/web-1',
      acl: [],
      encode: (next: Report) => Buffer.from(JSON.stringify(next)),
      mayWrite: () => true,
      onProblem: () => {},
      clock,
      log: silentLog,
    },
  });
  reporter.say(reportOf('active', '1.1'), 'rest');
  for (const [at, phase] of stages) {
    const kind = phase === 'active' ? 'rest' : 'working';
    clock.after(10_000 + at, () => reporter.say(reportOf(phase, '2.2'), kind));
  }
  await clock.run(20_000);
  expect(written.shift()).toBe('0 active');
  return written.map((line) => line.replace(/^\d+/, (ms) => `${Number(ms) - 10_000}`));
}

it('a deployment that is over within a second reports once, at its end', async () => {
  expect(
    await told([
      [0, 'fetching'],
      [400, 'writing'],
      [900, 'active'],
    ]),
  ).toEqual(['900 active']);
});

it('stages that follow each other quickly are told after a second all the same', async () => {
  const stages = [
    [0, 'fetching'],
    [600, 'writing'],
    [1_200, 'preparing'],
    [1_800, 'activating'],
    [2_100, 'active'],
  ] as const;
  expect(await told(stages)).toEqual(['1000 writing', '2100 active']);
});

it('a long stage is told after a second', async () => {
  expect(
    await told([
      [0, 'fetching'],
      [5_000, 'active'],
    ]),
  ).toEqual(['1000 fetching', '5000 active']);
});
