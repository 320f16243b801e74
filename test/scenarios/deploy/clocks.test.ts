import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseHold } from '../../../schemas/hold.ts';
import { gitfleet, type Ran } from '../../support/commands.ts';
import { TestFleet } from '../../support/fleet.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** Times are the ensemble's: what a machine with a wrong clock writes, judges and shows is right all the same. */
const servers = sharedServer();
const HOUR = 3_600_000;
const MINUTE = 60_000;
let fleet: TestFleet;
let target: string[];
beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  const origin = await fleet.origin();
  target = [await origin.commit('a', { f: 'a' }), '--url', origin.url, '--relative-path', 'shop', '--detach'];
});
afterEach(() => fleet.stop());

/** A command on a machine whose clock is wrong by so much. */
function shifted(shiftMs: number, ...args: string[]): Promise<Ran> {
  const preload = join(import.meta.dirname, '../../support/shifted-clock.cjs');
  const env = { NODE_OPTIONS: `--require=${preload}`, SHIFT_MS: String(shiftMs) };
  return gitfleet([...args, '-z', fleet.zookeeper, '--app', fleet.app], { cwd: fleet.directory, env });
}

it('a hold of half an hour holds half an hour, also one typed where the clock is an hour behind, and says so', async () => {
  const said = await shifted(-HOUR, 'hold', '-m', 'inventory', '--for', '30m');
  expect(said).toMatchObject({ exitCode: 0 });
  expect(said.stderr).toContain("warning: this machine's clock is 60 min behind ZooKeeper's");
  const node = await fleet.session.get(fleet.znodes.hold);
  const held = node && parseHold(node.data).value;
  expect(Math.abs((held?.end ?? 0) - Date.now() - 30 * MINUTE)).toBeLessThan(MINUTE);
  expect(Math.abs((held?.at ?? 0) - Date.now())).toBeLessThan(MINUTE);
  expect(await fleet.run('publish', ...target)).toMatchObject({ exitCode: 5 });
  expect((await fleet.run('hold', '-m', 'stock', '--for', '1h')).stderr).toBe('');
});

it('a hold is in force or over by the same clock for every publisher', async () => {
  await fleet.run('hold', '-m', 'inventory', '--for', '30m');
  for (const shift of [HOUR, -HOUR]) {
    expect(await shifted(shift, 'publish', ...target)).toMatchObject({ exitCode: 5 });
    expect((await shifted(shift, 'plan', ...target.slice(0, -1))).stdout).toContain('blocked by HOLD');
    expect((await shifted(shift, 'hold')).stdout).toContain('holds publishing since');
    expect((await shifted(shift, 'status')).stdout).toContain('holds publishing since');
  }
});

it('ages in history, status and attach are those of the fleet, whatever the clock of the reader and of the writer', async () => {
  await shifted(-HOUR, 'publish', ...target);
  for (const shift of [HOUR, -HOUR, 0]) {
    expect((await shifted(shift, 'history')).stdout).toMatch(/ \d+(\.\d)? s ago /);
    expect((await shifted(shift, 'status')).stdout).toMatch(/, \d+(\.\d)? s ago\n/);
    expect((await shifted(shift, 'attach', '--timeout', '1s')).stdout).toMatch(/^d-1 \S+, published \d+(\.\d)? s ago/);
  }
  const [record] = (await fleet.run('history', '--json')).stdout.trim().split('\n');
  expect(Math.abs(JSON.parse(record ?? '').at - Date.now())).toBeLessThan(MINUTE);
});

it('a publish asks for the time only where a hold ends by itself', async () => {
  const asked = async () => (await fleet.session.get(fleet.znodes.clock))?.stat.version;
  expect((await fleet.run('publish', ...target)).exitCode).toBe(0);
  await fleet.run('publish', ...target);
  expect(await asked()).toBe(0);
  await fleet.run('hold', '-m', 'inventory', '--for', '30m');
  const before = (await asked()) ?? 0;
  await fleet.run('publish', ...target);
  expect(await asked()).toBe(before + 1);
});
