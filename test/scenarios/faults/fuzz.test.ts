import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deploymentName } from '../../../schemas/deployment.ts';
import { targetVersionOf } from '../../../schemas/target.ts';
import { shown } from '../../support/agent/agent-process.ts';
import { type FuzzedAgent, FuzzedFleet } from '../../support/hostile/fuzzed-fleet.ts';
import { type Facts, SEEDS, type SeedKind } from '../../support/hostile/seeds.ts';
import { type Hostile, hostileValue, type Json, PAINT } from '../../support/hostile/values.ts';
import { SEED, type Seeded, SOAK, seeded } from '../../support/seeded.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/**
 * Values that no gitfleet wrote, in every place where agents, the coordinator and publishers read: znodes, files of the
 * state, files of a commit. Two real agents (one of them leads) and two publishers that watch live through all of them:
 * nothing crashes or hangs, nothing is fetched, linked, run or shown outside the rules, and what serves keeps serving.
 * After each round the operator puts the znodes right, and a good commit deploys by canary.
 */
const VALUES = Number(process.env['GITFLEET_FUZZ'] ?? (SOAK ? 10_000 : 400));
const ROUND = SOAK ? 500 : 200;
const SCREENS = SOAK ? 100 : 25;

const servers = sharedServer();
let fleet: FuzzedFleet;
beforeEach(async () => {
  fleet = await FuzzedFleet.start(servers.connect());
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(fleet.lastLines());
  await fleet.stop();
});

type Kind = SeedKind | 'permit' | 'deployments' | 'child' | 'journal' | 'gitfleet.yml';
/** How often each is drawn. */
const WEIGHTS: readonly (readonly [Kind, number])[] = [
  ['rollout', 30],
  ['permit', 8],
  ['policy', 10],
  ['quarantine', 8],
  ['hold', 2],
  ['deployments', 5],
  ['record', 8],
  ['presence', 8],
  ['report', 10],
  ['child', 3],
  ['override', 6],
  ['suspended', 4],
  ['gitfleet.yml', 1],
];
const DRAWN = WEIGHTS.flatMap(([kind, weight]) => Array.from({ length: weight }, () => kind));

describe('a fleet that is told nonsense', () => {
  it(`serves, and deploys when it is over (${VALUES} values, GITFLEET_SEED=${SEED})`, {
    timeout: 7_200_000,
  }, async () => {
    console.log(`GITFLEET_SEED=${SEED}`);
    const random = seeded(SEED);
    const story: string[] = [];
    const counts: Partial<Record<Kind, number>> = {};
    let nth = 0;
    const [screens, rounds] = [counter(SCREENS), counter(ROUND)];
    try {
      while (nth < VALUES) {
        if (random.often(0.05)) story.push(await anotherTarget(random));
        for (const kind of together(random)) {
          nth += 1;
          counts[kind] = (counts[kind] ?? 0) + 1;
          story.push(`${kind}: ${await put(random, kind)}`);
        }
        await fleet.checkLiving();
        if (screens.passed(nth)) await fleet.checkScreens(random);
        if (!rounds.passed(nth)) continue;
        console.log(`${nth} values`);
        await fleet.checkAll();
        story.push(await recovered(random));
      }
      story.push(await recovered(random));
      await fleet.checkAll();
    } catch (error) {
      const tail = story.slice(-12).map((line) => `  ${line}`);
      const text = `GITFLEET_SEED=${SEED}, value ${nth}: ${(error as Error).message}\n${tail.join('\n')}`;
      throw new Error(text, { cause: error });
    }
    console.log(`GITFLEET_SEED=${SEED}: ${nth} values ${JSON.stringify(counts)}, ${fleet.summary()}`);
  });
});

/** Kinds that are put one right after the other: each only once, so that each value is there to be seen. */
function together(random: Seeded): Set<Kind> {
  // Costs two starts of an agent.
  if (random.often(0.01)) return new Set<Kind>(['journal']);
  return new Set(Array.from({ length: 1 + random.below(5) }, () => random.pick(DRAWN)));
}

/** True once in each so many. */
function counter(size: number) {
  let next = size;
  return {
    passed(nth: number): boolean {
      if (nth < next) return false;
      next = nth + size;
      return true;
    },
  };
}

async function factsNow(): Promise<Facts> {
  const config = await fleet.session.get(fleet.znodes.config);
  if (!config) throw new Error('there is no config');
  return fleet.facts(targetVersionOf(config.stat));
}

/** @returns what was put there. */
async function put(random: Seeded, kind: Kind): Promise<string> {
  const { znodes } = fleet;
  const facts = await factsNow();
  const seeded = (name: SeedKind): Hostile =>
    hostileValue(
      random,
      SEEDS[name](facts, (from) => random.pick(from)),
    );
  const into = async (path: string, value: Hostile) => {
    await fleet.set(path, value.data);
    return value.what;
  };
  const name = () => random.pick(['web-1', 'web-2', 'ghost', 'A']);
  switch (kind) {
    case 'permit':
      return into(znodes.permit(name()), text(random, [facts.targetVersion, '1.1', 'ffffffffffffffff.0', '']));
    case 'deployments':
      return into(
        znodes.deployments,
        text(random, [`${facts.deployment}`, '0', '9007199254740991', '-1', '1e3', 'NaN']),
      );
    case 'record':
      return into(znodes.deployment(random.pick([1, facts.deployment, facts.deployment + 1])), seeded(kind));
    case 'presence':
    case 'report':
      return into(znodes[kind](name()), seeded(kind));
    case 'child':
      return await oddChild(random, facts);
    case 'override':
    case 'suspended':
      return await intoState(random.pick(fleet.agents), `${kind}.json`, seeded(kind));
    case 'journal':
      return await anotherJournal(random);
    case 'gitfleet.yml':
      return await anotherReleaseFile(random);
    default:
      return into(znodes[kind], seeded(kind));
  }
}

/** Plain text, mostly near to what is right. */
function text(random: Seeded, near: readonly string[]): Hostile {
  const chosen = random.often(0.5) ? random.pick(near) : null;
  if (chosen === null) return hostileValue(random, random.pick<Json>([...near, PAINT]));
  return { what: JSON.stringify(chosen), data: Buffer.from(chosen) };
}

/** A node whose name means nothing, where the nodes of agents and deployments are. */
async function oddChild(random: Seeded, facts: Facts): Promise<string> {
  const parent = random.pick(['online', 'agents', 'permits', 'deployments', 'fetch', 'election'] as const);
  const name = random.pick([
    'x'.repeat(300),
    '\u200dweb-1',
    '\u202egpj',
    'd-0',
    'd-99999999999999999999',
    `d-${facts.deployment + 5}`,
    'lease-zzz',
    'lease-9999999999',
    'web 1',
    '-rf',
    '__proto__',
    'constructor',
  ]);
  await fleet.set(`${fleet.znodes[parent]}/${name}`, hostileValue(random, { agentId: name }).data);
  return `${parent}/${JSON.stringify(name).slice(0, 40)}`;
}

async function intoState(agent: FuzzedAgent, file: string, { what, data }: Hostile): Promise<string> {
  writeFileSync(join(agent.home.appState, file), data);
  return `${agent.home.id}, ${what}`;
}

/** An agent that starts with a journal that it did not write, and again with its own. */
async function anotherJournal(random: Seeded): Promise<string> {
  const agent = random.pick(fleet.agents);
  const { what, data } = hostileValue(random, await fleet.journalOf(agent));
  await fleet.restartWith(agent, data);
  return `${agent.home.id}, ${what}`;
}

const RELEASE_FILE: Json = {
  activate: { command: ['true'], timeout: '5s' },
  health: { checks: [{ command: ['true'] }], interval: '100ms', rise: 1, healthyFor: '0s', deadline: '5s' },
  shared: ['log', 'var/cache'],
  generated: ['node_modules'],
};

/** A commit whose steps are nonsense: it is refused, or fails, or is shown. */
async function anotherReleaseFile(random: Seeded): Promise<string> {
  const hostileNames = ['../outside/x', `${fleet.outside}/x`, '.git', '.', 'a/../../x'];
  const valid = random.often(0.2)
    ? { shared: [random.pick(hostileNames)], generated: [random.pick(hostileNames)] }
    : RELEASE_FILE;
  const { what, data } = hostileValue(random, valid);
  await fleet.target(fleet.commit(random, { 'gitfleet.yml': data.subarray(0, 300_000).toString('latin1') }));
  return what;
}

/** Without a rollout's order the agents wait for a permit or go at once: as the policy says at that moment. */
async function anotherTarget(random: Seeded): Promise<string> {
  const commitId = fleet.commit(random, {});
  await fleet.target(commitId);
  return `target ${commitId}`;
}

/** The operator takes back what was said; then a good commit goes over the fleet, canary first. */
async function recovered(random: Seeded): Promise<string> {
  await fleet.putRight();
  for (const { home } of fleet.agents) {
    for (const file of ['override.json', 'suspended.json']) rmSync(join(home.appState, file), { force: true });
  }
  const commitId = fleet.commit(random, {});
  const ran = await fleet.publish(commitId);
  if (ran.exitCode !== 0) throw new Error(`publish ended with ${ran.exitCode}: ${ran.stdout}${ran.stderr}`);
  for (const { home } of fleet.agents) expect(shown(home, 'shop')).toBe(commitId);
  await until('the watching publisher shows it', async () => fleet.watchersSaw(commitId));
  return `${deploymentName(fleet.lastDeployment)} is ${commitId}`;
}
