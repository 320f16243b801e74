import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createMetrics } from '../../../agent/service/metrics.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const DOC = readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8');

const vitals: Parameters<typeof createMetrics>[0]['vitals'] = () => ({
  state: 'connected',
  generation: 1,
  incarnation: 1,
  reconnects: 0,
  trouble: null,
  roundsWithoutListener: 0,
  silentMs: 0,
  roundTripMs: 1,
  callsWaiting: 0,
  callsSent: 0,
  watchedPaths: 0,
  openForMs: 1,
});
const metricsOf = () => createMetrics({ app: '/app/business', version: '0.1.0', vitals, clock: createVirtualClock() });

it('docs/metrics.md has every metric with its kind, and no other', async () => {
  const metrics = metricsOf();
  const served = [...(await metrics.text()).matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(
    ([, name, kind]) => `${name} ${kind}`,
  );
  // Those of `gitfleet serve` are held by test/packaging/watching.test.ts.
  const rows = [...DOC.matchAll(/^\| `(gitfleet_\w+)` \| (\w+) \|/gm)];
  const told = rows
    .filter(([, name]) => !/^gitfleet_(fleet|server|told)_/.test(name ?? ''))
    .map(([, name, kind]) => `${name} ${kind}`);
  expect(told.toSorted()).toEqual(served.toSorted());
  expect(served.length).toBeGreaterThan(10);
});

it('the consumers that did not acknowledge the newest drain are named, at most 20, and no longer after the next', async () => {
  const metrics = metricsOf();
  const drained = (...ids: string[]) =>
    metrics.listener.drained?.({
      service: 'shop/web',
      acknowledged: 0,
      unacknowledged: ids.map((id) => ({ id, what: '' })),
      ms: 300,
    });
  const named = async () =>
    [...(await metrics.text()).matchAll(/^gitfleet_drain_unacknowledged\{.*consumer="(.*?)".*\} 1$/gm)].map(
      ([, consumer]) => consumer,
    );
  drained('lb-1', 'lb-2');
  expect(await named()).toEqual(['lb-1', 'lb-2']);
  drained('lb-2');
  expect(await named()).toEqual(['lb-2']);
  drained(...Array.from({ length: 300 }, (_, at) => `c-${at}`));
  expect(await named()).toHaveLength(20);
  drained();
  expect(await named()).toEqual([]);
  expect(await metrics.text()).toMatch(/drain_unacknowledged_total\{.*\} 303/);
});
