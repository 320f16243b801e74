import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createFleetMetrics } from '../../serve/metrics/fleet.ts';
import { createServerMetrics } from '../../serve/metrics/registry.ts';
import type { State } from '../../serve/picture/state.ts';

const ROOT = join(import.meta.dirname, '../..');
const RULES = 'packaging/prometheus/gitfleet.rules.yml';
const BOARD = 'packaging/grafana/gitfleet.json';
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const agent = (activeCommit: string | null, online: boolean) =>
  ({ activeCommit, onlineSince: online ? 1 : null, phase: online ? 'active' : null }) as never;
const record = (number: number, state: string | null, at = 1_000) =>
  ({ number, at, outcome: state === null ? null : { state, at: at + 5_000 } }) as never;
const STATE = {
  target: { commitId: 'c1' },
  deployment: { number: 12 },
  coordinator: 'web-1',
  reached: 1,
  expected: 2,
  counts: { active: 1, overridden: 0, suspended: 0, failed: 1, working: 0, silent: 0, offline: 1 },
  rollout: { state: 'running', wave: 2 },
  hold: null,
  quarantine: [1],
  history: [record(12, null), record(11, 'failed')],
  agents: new Map([
    ['web-1', agent('c1', true)],
    ['web-2', agent('c0', true)],
    ['web-3', agent(null, false)],
  ]),
} as unknown as State;

function metricsOf() {
  const parts = { app: '/app/shop', version: '1', streams: () => 0, isStale: () => false };
  const server = createServerMetrics(parts);
  return { server, fleet: createFleetMetrics(server.registry) };
}

it('gives the whole fleet in one scrape', async () => {
  const { server, fleet } = metricsOf();
  fleet.changed(STATE);
  fleet.changed({ ...STATE, history: [record(12, 'proven'), record(11, 'failed')] });
  fleet.changed({ ...STATE, history: [record(12, 'proven'), record(11, 'failed')] });
  fleet.told('ops', 'told');
  const lines = (await server.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('golden/metrics.txt');
});

it('exports every metric that the alerts and the dashboard name, and docs/metrics.md has each', async () => {
  const { server } = metricsOf();
  const exported = (await server.registry.getMetricsAsJSON()).map(({ name }) => name);
  const named = [RULES, BOARD].flatMap((file) => read(file).match(/\bgitfleet_[a-z_]+/g) ?? []);
  const plain = named.map((name) => name.replace(/_(bucket|sum|count)$/, ''));
  expect(plain.filter((name) => !exported.includes(name))).toEqual([]);
  expect(new Set(plain).size).toBeGreaterThan(15);
  const page = read('docs/metrics.md');
  const told = [...page.matchAll(/^\| `(gitfleet_(?:fleet|server|told)_\w+)` \|/gm)].map(([, name]) => name as string);
  const ours = exported.filter((name) => /^gitfleet_(fleet|server|told)_/.test(name));
  expect(told.toSorted()).toEqual(ours.toSorted());
  expect(ours.length).toBeGreaterThan(15);
});

it('has alerts that promtool takes, quiet in ordinary times and raised in trouble', () => {
  const promtool = (...args: string[]) => execFileSync('promtool', args, { cwd: ROOT, encoding: 'utf8' });
  expect(promtool('check', 'rules', RULES)).toMatch('SUCCESS');
  expect(promtool('test', 'rules', 'test/packaging/gitfleet.rules.test.yml')).toMatch('SUCCESS');
});
