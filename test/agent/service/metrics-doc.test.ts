import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createMetrics } from '../../../agent/service/metrics.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const DOC = readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8');

it('docs/metrics.md has every metric with its kind, and no other', async () => {
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
  const metrics = createMetrics({
    app: '/app/business',
    version: '0.1.0',
    vitals,
    clock: createVirtualClock(),
  });
  const served = [...(await metrics.text()).matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(
    ([, name, kind]) => `${name} ${kind}`,
  );
  const told = [...DOC.matchAll(/^\| `(gitfleet_\w+)` \| (\w+) \|/gm)].map(([, name, kind]) => `${name} ${kind}`);
  expect(told.toSorted()).toEqual(served.toSorted());
  expect(served.length).toBeGreaterThan(10);
});
