import { describe, expect, it } from 'vitest';
import { layoutOf } from '../../../agent/disk/layout.ts';
import { emptyJournal } from '../../../agent/state/journal.ts';
import type { WantedTarget } from '../../../agent/state/wanted.ts';
import { createHealthWatch, type HealthWatch } from '../../../agent/steps/health-watch.ts';
import { parseReleaseFile } from '../../../schemas/settings/release-file.ts';
import type { ReleaseSteps } from '../../../schemas/steps.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { allowedTarget } from '../../support/allowed-target.ts';
import { silentLog } from '../../support/log.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const [OLD, NEW] = ['a'.repeat(40), 'b'.repeat(40)];
const MINUTE = 60_000;
const wanted = (targetVersion = '5.100', commitId = NEW): WantedTarget => ({
  kind: 'target',
  targetVersion: targetVersion as TargetVersion,
  target: allowedTarget({ url: 'file:///srv/shop.git', commitId, relativePath: 'shop' }),
});
const rule = (more: string): ReleaseSteps => {
  const parsed = parseReleaseFile(`health: { checks: [{ tcp: "a:1" }, { tcp: "b:2" }], ${more} }`);
  return (parsed as { steps: ReleaseSteps }).steps;
};

/** A watch on virtual time; `wrong` is what each check finds. */
function watch(steps: ReleaseSteps) {
  const clock = createVirtualClock();
  const stop = new AbortController();
  const looks: { at: number; previous: string | null }[] = [];
  const seen = { wrong: null as string | null, throws: false, failed: 0 };
  const journal = { ...emptyJournal, links: { shop: NEW }, base: { commitId: OLD, relativePath: 'shop' } };
  const ended = { endedWell: true, leftAt: 1, at: 0 };
  const health: HealthWatch = createHealthWatch(
    {
      ...{ clock, log: silentLog, resyncMs: 10 * MINUTE, layout: layoutOf('/root', '/state', '/app/shop') },
      journal: () => ({ ...journal, releases: { [OLD]: ended, [NEW]: ended } }),
      async stepsOf() {
        if (seen.throws) throw new Error('gitfleet.yml is gone');
        return steps;
      },
      async probe({ tcp }, { previousCommitId }) {
        if (tcp === 'a:1') looks.push({ at: clock.monotonic(), previous: previousCommitId });
        return tcp === 'a:1' ? seen.wrong : null;
      },
    },
    () => {
      seen.failed += 1;
    },
  );
  const running = health.run(stop.signal);
  return {
    ...{ clock, looks, seen, health },
    pass: (ms: number) => clock.run(clock.monotonic() + ms),
    async end() {
      stop.abort();
      await running;
    },
  };
}

describe('the watch over an active release', () => {
  it('looks at the interval of the rule, though not more than once a second, until it is told to end', async () => {
    for (const [interval, expected] of [
      ['30s', 3],
      ['100ms', 61],
    ] as const) {
      const { health, pass, looks, end } = watch(rule(`interval: ${interval}`));
      await pass(MINUTE);
      expect(looks).toEqual([]);
      expect(health.over(wanted())).toBeNull();
      await pass(MINUTE);
      expect(looks).toHaveLength(expected);
      expect(looks[0]).toEqual({ at: MINUTE, previous: OLD });
      // The same again is no other one.
      health.over(wanted());
      health.over(null);
      await pass(60 * MINUTE);
      expect(looks).toHaveLength(expected);
      await end();
    }
  });

  it('says once that it failed, after as many bad looks as the rule wants, and does not look any more', async () => {
    const { health, pass, looks, seen, end } = watch(rule('fall: 3, interval: 1s'));
    health.over(wanted());
    await pass(MINUTE);
    seen.wrong = 'tcp a:1: ECONNREFUSED';
    await pass(2_000);
    seen.wrong = null;
    await pass(MINUTE);
    expect(health.over(wanted())).toBeNull();
    seen.wrong = 'tcp a:1: ECONNREFUSED';
    await pass(10_000);
    const count = looks.length;
    await pass(MINUTE);
    expect([looks.length, seen.failed]).toEqual([count, 1]);
    for (const failure of [health.over(wanted()), health.over(wanted())]) {
      expect(failure).toMatchObject({ code: 'HEALTH_FAILED', step: 'health', next: 'stall' });
      expect(failure?.message).toContain('tcp a:1: ECONNREFUSED, 3 looks in a row');
    }
    // Published again, or another one: from the beginning.
    expect(health.over(wanted('6.100'))).toBeNull();
    await pass(1_500);
    expect([looks.length, seen.failed]).toEqual([count + 2, 1]);
    await end();
  });

  it('gives a service time to start where the agent itself has just started, and none later', async () => {
    const { health, pass, seen, looks, end } = watch(rule('fall: 2, interval: 1s, start: 10s'));
    seen.wrong = 'down';
    health.over(wanted());
    await pass(9_500);
    expect([health.over(wanted()), looks.length]).toEqual([null, 10]);
    await pass(1_000);
    expect(health.over(wanted())?.code).toBe('HEALTH_FAILED');
    health.over(wanted('6.100'));
    await pass(1_500);
    expect(health.over(wanted('6.100'))?.code).toBe('HEALTH_FAILED');
    await end();
  });

  it('is quiet where there is no rule, or none can be read, until there is one', async () => {
    const none = watch({ shared: [], generated: [] });
    none.health.over(wanted());
    await none.pass(60 * MINUTE);
    expect([none.looks, none.health.over(wanted())]).toEqual([[], null]);
    await none.end();

    const { health, pass, looks, seen, end } = watch(rule('interval: 1s'));
    seen.throws = true;
    health.over(wanted());
    await pass(60 * MINUTE);
    expect([looks, health.over(wanted())]).toEqual([[], null]);
    seen.throws = false;
    await pass(11 * MINUTE);
    expect(looks.length).toBeGreaterThan(30);
    await end();
  });
});
