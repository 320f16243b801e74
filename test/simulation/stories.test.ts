import { describe, expect, it, vi } from 'vitest';
import { encodePolicy, policy as policySchema } from '../../schemas/policy.ts';
import { hostileBase } from './attacks.ts';
import { backByHand, cutLines, freeze, join, kill, leaderOf, loseLine, loseOrigin, publish, say } from './fleet.ts';
import type { SimulatedServer } from './server.ts';
import { loseData, publishAgain } from './set-back.ts';
import { type Script, simulate } from './simulate.ts';

vi.mock('node:fs/promises', () => import('./disk.ts'));

/**
 * Stories of a simulated fleet as they stand in stories/: what happens to it, and below each event what it does, with
 * minutes and seconds of virtual time. They hold no promise of their own; they show in a diff what a change does to a
 * fleet. Read that diff, and where it is what you mean: npx vitest run test/simulation/stories.test.ts -u
 */
const CAUTIOUS = { canary: 1, maxParallel: 1, soak: '15s', deadline: '60s', onFailure: 'rollback' };

interface Story extends Script {
  readonly name: string;
}

const STORIES: readonly Story[] = [
  {
    name: 'a good commit goes out, canary first',
    servers: 4,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      publish(fleet, 'good');
      await seconds(180);
    },
  },
  {
    name: 'a bad commit is found out by the canary, and what was proven comes back',
    servers: 3,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      publish(fleet, 'bad');
      await seconds(180);
    },
  },
  {
    name: 'a commit that makes servers sick after some seconds does not survive its soak',
    servers: 3,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      publish(fleet, 'sickens');
      await seconds(180);
    },
  },
  {
    name: 'a commit that is bad on one server only halts where the policy says pause',
    servers: 3,
    policy: { ...CAUTIOUS, onFailure: 'pause' },
    async play(fleet, seconds) {
      publish(fleet, 'flaky');
      await seconds(120);
      say(fleet, 'resume');
      await seconds(120);
    },
  },
  {
    name: 'the leader dies in the midst of a rollout, and another goes on',
    servers: 4,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      publish(fleet, 'good');
      await seconds(20);
      kill(fleet, [leaderOf(fleet, fleet.servers[0] as SimulatedServer)], () => 45_000);
      await seconds(180);
    },
  },
  {
    name: 'the leader is frozen, and has nothing to say when it thaws',
    servers: 4,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      publish(fleet, 'good');
      await seconds(20);
      freeze(fleet, leaderOf(fleet, fleet.servers[0] as SimulatedServer), 15_000);
      await seconds(180);
    },
  },
  {
    name: 'a person pauses, another writes config by hand, and the newest word counts',
    servers: 3,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      publish(fleet, 'good');
      await seconds(15);
      say(fleet, 'pause');
      await seconds(30);
      publish(fleet, 'good', 'foreign');
      await seconds(150);
    },
  },
  {
    name: 'a server is away while the others move on, and catches up',
    servers: 4,
    policy: { ...CAUTIOUS, offlineBudget: '50%' },
    async play(fleet, seconds) {
      kill(fleet, [fleet.servers.at(-1) as SimulatedServer], () => 240_000);
      await seconds(20);
      publish(fleet, 'good');
      await seconds(280);
    },
  },
  {
    name: 'the origin is away, lines break, and a server joins, all at once',
    servers: 3,
    policy: { ...CAUTIOUS, maxParallel: 2, soak: '5s' },
    async play(fleet, seconds) {
      loseOrigin(fleet, 60_000);
      publish(fleet, 'good');
      await seconds(10);
      cutLines(fleet);
      loseLine(fleet, fleet.servers[0] as SimulatedServer, 'drop', 15_000);
      join(fleet);
      await seconds(240);
    },
  },
  {
    name: 'a rollout is aborted, and a person goes back by hand',
    servers: 3,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      const [proven] = fleet.commits.keys();
      publish(fleet, 'good');
      await seconds(25);
      say(fleet, 'abort');
      await seconds(20);
      backByHand(fleet, proven);
      await seconds(120);
    },
  },
  {
    name: 'ZooKeeper is set back into an earlier rollout, and nothing moves until a person publishes',
    servers: 3,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      publish(fleet, 'good');
      await seconds(20);
      const backup = fleet.zookeeper.backup();
      await seconds(100);
      publish(fleet, 'good');
      await seconds(120);
      loseData(fleet, backup);
      await seconds(300);
      fleet.ask(publishAgain(fleet, policyOf(this)));
      await seconds(200);
    },
  },
  {
    name: 'ZooKeeper is set back while a canary soaks, and what most servers show is published again',
    servers: 3,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      const backup = fleet.zookeeper.backup();
      publish(fleet, 'good');
      await seconds(15);
      loseData(fleet, backup);
      await seconds(60);
      fleet.ask(publishAgain(fleet, policyOf(this)));
      await seconds(150);
    },
  },
  {
    name: 'ZooKeeper is wiped in the middle of a wave, and the app is made again',
    servers: 3,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      publish(fleet, 'good');
      await seconds(25);
      loseData(fleet, 'nothing');
      await seconds(120);
      fleet.ask(publishAgain(fleet, policyOf(this)));
      await seconds(240);
    },
  },
  {
    name: 'a stranger makes the base another repository, and a server that joins does not fetch it',
    servers: 3,
    policy: CAUTIOUS,
    async play(fleet, seconds) {
      publish(fleet, 'good');
      await seconds(10);
      hostileBase(fleet);
      join(fleet);
      await seconds(60);
      say(fleet, 'resume');
      await seconds(150);
    },
  },
];

const policyOf = ({ policy }: Pick<Script, 'policy'>) => encodePolicy(policySchema().parse(policy));

describe('the story of a fleet', () => {
  it.each(STORIES)('$name', { timeout: 60_000 }, async ({ name, ...script }) => {
    const { violations, story } = await simulate(20_261_130, { script });
    expect(violations).toEqual([]);
    await expect(`${story.join('\n')}\n`).toMatchFileSnapshot(
      `stories/${name.toLowerCase().replaceAll(/[^a-z]+/g, '-')}.txt`,
    );
  });
});
