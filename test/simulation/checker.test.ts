import { describe, expect, it, vi } from 'vitest';
import { SEED, seeded } from '../support/seeded.ts';
import { fillDisk, hostileBase } from './attacks.ts';
import { join, kill, leaderOf, publish, say } from './fleet.ts';
import type { SimulatedServer } from './server.ts';
import { loseData } from './set-back.ts';
import { type Script, simulate } from './simulate.ts';

vi.mock('node:fs/promises', () => import('./disk.ts'));
Error.stackTraceLimit = 0;

const draw = seeded(SEED);

describe(`a simulated run (GITFLEET_SEED=${SEED})`, () => {
  it('is one run per seed', { timeout: 120_000 }, async () => {
    const seed = draw.below(2 ** 31);
    expect(await simulate(seed), `seed ${seed}`).toEqual(await simulate(seed));
  });
});

/** Set back from one proven deployment to the canary of the one before, whose permit is there again. */
const SET_BACK: Script = {
  servers: 3,
  policy: { canary: 1, maxParallel: 1, soak: '15s', deadline: '60s', onFailure: 'rollback' },
  async play(fleet, seconds) {
    publish(fleet, 'good');
    await seconds(1);
    while (fleet.checker.rollout()?.soakAt === null) await seconds(1);
    const inTheCanary = fleet.zookeeper.backup();
    await seconds(100);
    publish(fleet, 'good');
    await seconds(120);
    loseData(fleet, inTheCanary);
    await seconds(60);
  },
};

/** A server that serves nothing goes to the base, of which a stranger makes anything. */
const HOSTILE_BASE: Script = {
  ...SET_BACK,
  async play(fleet, seconds) {
    publish(fleet, 'good');
    await seconds(5);
    hostileBase(fleet);
    join(fleet);
    await seconds(20);
  },
};

/** A disk with room for a few releases, and more deployments than that, one after the other. */
const FULL_DISK: Script = {
  ...SET_BACK,
  async play(fleet, seconds) {
    fillDisk(fleet, fleet.servers[0] as SimulatedServer);
    await seconds(120);
  },
};

describe('a pause that ZooKeeper lost with its data', () => {
  it.each([
    ['the leader orders nothing more', 0, false],
    ['nor where other clients have carried the ensemble past what was lost', 200, false],
    ['nor does a candidate that leads from then on', 200, true],
  ])('%s', async (_, writesOfOthers, leaderDies) => {
    const states: unknown[] = [];
    const script: Script = {
      ...SET_BACK,
      async play(fleet, seconds) {
        const state = () => states.push(fleet.checker.rollout()?.state);
        publish(fleet, 'good');
        await seconds(1);
        while (fleet.checker.rollout()?.soakAt === null) await seconds(1);
        const soaking = fleet.zookeeper.backup();
        say(fleet, 'pause');
        await seconds(2);
        state();
        loseData(fleet, soaking);
        state();
        if (leaderDies) kill(fleet, [leaderOf(fleet, fleet.servers[0] as SimulatedServer)], () => 60_000);
        for (let write = 0; write < writesOfOthers; write++)
          fleet.ask(fleet.stranger().set(fleet.paths.app, Buffer.from(`${write}`), -1));
        await seconds(40);
        state();
      },
    };
    const { violations, story } = await simulate(draw.below(2 ** 31), { script });
    expect(states, story.join('\n')).toEqual(['paused', 'running', 'halted']);
    expect(violations).toEqual([]);
  });
});

describe(`the checker finds what is planted (GITFLEET_SEED=${SEED})`, () => {
  it.each([
    ['agents go without a permit', /are under way at once/],
    ['agents call themselves active before they are healthy', /are under way at once/],
    ['coordinators forget the guard of their term', /an order without guard/],
    ['agents stay out of their services', /is out of its services, and/],
  ] as const)('%s', { timeout: 20 * 60_000 }, async (planted, found) => {
    for (let run = 0; run < 100; run++) {
      const { violations } = await simulate(draw.below(2 ** 31), { planted });
      if (found.test(violations.join('\n'))) return;
    }
    expect.fail('not in 100 schedules');
  });

  it.each([
    ['agents allow every repository', HOSTILE_BASE, /fetches https:..evil/],
    ['agents keep every release', FULL_DISK, /has no room, and keeps \S+ for nothing/],
  ] as const)('%s', { timeout: 20 * 60_000 }, async (planted, script, found) => {
    for (let run = 0; run < 100; run++) {
      const { violations } = await simulate(draw.below(2 ** 31), { planted, script });
      if (found.test(violations.join('\n'))) return;
    }
    expect.fail('not in 100 runs');
  });

  it.each([
    ['agents forget what they accepted', [/web-1 accepted \S+, and goes to \S+ after ZooKeeper lost data/]],
    [
      'coordinators overlook that ZooKeeper was set back',
      [/a machine publishes after ZooKeeper lost data/, /is put into quarantine for TARGET_WENT_BACK/],
    ],
  ] as const)('%s', { timeout: 20 * 60_000 }, async (planted, found) => {
    const missing = new Set<RegExp>(found);
    // Not each of them: where an agent is under way when the data is lost, it may have nothing to forget.
    for (let run = 0; run < 30 && missing.size > 0; run++) {
      const seed = draw.below(2 ** 31);
      const { violations } = await simulate(seed, { planted, script: SET_BACK });
      for (const each of missing) if (each.test(violations.join('\n'))) missing.delete(each);
      expect((await simulate(seed, { script: SET_BACK })).violations, `seed ${seed}`).toEqual([]);
    }
    expect([...missing]).toEqual([]);
  });
});
