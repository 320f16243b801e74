import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AGENT_FAILPOINTS, FAILPOINTS, type FailpointName } from '../../../agent/state/failpoints.ts';
import { makeBundle } from '../../../git/host/make-bundle.ts';
import { createGit } from '../../../git/run/process.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { CommitId } from '../../../schemas/values.ts';
import {
  type AgentHome,
  agentHome,
  type Life,
  settledOn,
  shown,
  spareOf,
  startLife,
} from '../../support/agent/agent-process.ts';
import { type LinkReaders, startLinkReaders } from '../../support/agent/link-readers.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { createOrigin, type GitOrigin, temporaryDirectory, writeFiles } from '../../support/git/origin.ts';
import { silentLog } from '../../support/log.ts';
import { commitTree, meant, type Node, onDisk, type Tree } from '../../support/model-tree.ts';
import { processesIn } from '../../support/processes.ts';
import { SEED, type Seeded, SOAK, seeded } from '../../support/seeded.ts';
import { lineOf, signedConfig, type TestKey, TestSigners } from '../../support/signers.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/**
 * Real agent processes are killed (SIGKILL) at every failpoint and at random moments of first and next deployments,
 * small and large ones, of recycling and of retention, while a process of readers samples their links without pause
 * and holds open what they serve. Several agents run side by side, each with an app of its own: a lane.
 */
const HITS_EACH = SOAK ? 5 : 1;
const RANDOM_KILLS = SOAK ? 150 : 8;
const LANES = SOAK ? 4 : 5;
const GRACE_MS = 1_000;
const PATH = 'sites/shop';

const NEVER = new AbortController().signal;
const git = createGit({ clock: systemClock, log: silentLog, path: process.env['PATH'] });
const servers = sharedServer();
const folder = temporaryDirectory('agent-kills');
let readers: LinkReaders;
let signers: TestSigners;
let key: TestKey;
beforeAll(async () => {
  signers = await TestSigners.create();
  key = await signers.key('key');
  await signers.allow([lineOf('kills', key)]);
  readers = startLinkReaders(folder.path);
});
afterAll(async () => {
  await readers.stop();
  folder.remove();
  await signers.remove();
});

/** How to make an agent come by a failpoint. */
type Situation =
  | 'first' // an empty server
  | 'small' // a small difference, with the spare ready, fetched by git
  | 'pushed' // the same, where the agent can copy it
  | 'bundled' // the same, which ZooKeeper has
  | 'large' // almost everything differs, with the spare ready
  | 'at-once' // the next target before there is a spare
  | 'left-behind' // a release whose grace ends after the next spare was made: it is removed, not recycled
  | 'sick' // a release that fails after the swap, with one to go back to
  | 'damaged'; // a truncated pack in the store
const REACHED: Partial<Record<FailpointName, readonly Situation[]>> = {
  'store.made-aside': ['first'],
  'store.set-aside': ['damaged'],
  'copy.written': ['pushed'],
  'copy.marked': ['pushed'],
  'copy.packed': ['pushed'],
  'copy.pinned': ['pushed'],
  'bundle.received': ['bundled'],
  'bundle.proved': ['bundled'],
  'bundle.marked': ['bundled'],
  'bundle.packed': ['bundled'],
  'bundle.pinned': ['bundled'],
  'spare.admin-made': ['at-once', 'first'],
  'spare.directory-made': ['at-once', 'first'],
  'spare.dirty': ['small', 'large'],
  'spare.parts-written': ['at-once', 'first'],
  'spare.checked-out': ['large', 'at-once', 'first'],
  'remove.marked': ['left-behind', 'at-once'],
  'remove.renamed': ['left-behind', 'at-once'],
  'remove.deleted': ['left-behind', 'at-once'],
  'remove.removed': ['left-behind'],
  'revert.intended': ['sick'],
  'back.intended': ['sick'],
  'back.remembered': ['sick'],
  'revert.ended': ['sick'],
  'revert.remembered': ['sick'],
};
/** Every step that a deployment comes by; a release with the file `sick` fails in its activate step. */
const STEPS = {
  prepare: { command: ['true'] },
  preActivate: { command: ['true'] },
  activate: { command: ['test', '!', '-e', 'sick'] },
  health: { checks: [{ command: ['true'] }], interval: '100ms', rise: 1, healthyFor: '0s' },
};
const verify = () => ({ target: 'required' as const, audience: 'kills', signersFile: signers.file });
const USUAL: readonly Situation[] = ['small'];

interface Lane {
  readonly name: string;
  readonly random: Seeded;
  readonly fleet: TestFleet;
  readonly origin: GitOrigin;
  home: AgentHome;
  tree: Map<string, Node>;
  /** What each commit of it was. */
  readonly trees: Map<string, Tree>;
  /** What config names now. */
  wanted: CommitId;
  /** When its last target was signed. */
  issuedAt: number;
  readonly lives: Set<Life>;
  homes: number;
  /** Here stores get damaged too. */
  readonly damaged: boolean;
}

async function openLane(name: string, random: Seeded, damaged: boolean): Promise<Lane> {
  const fleet = await TestFleet.create(servers.connect());
  const origin = createOrigin(join(fleet.directory, 'origin.git'));
  const tree = new Map<string, Node>();
  for (let at = 0; at < 60; at++) tree.set(`d${at % 7}/f${at}`, aFile(random));
  tree.set('current', { kind: 'link', to: 'd1/f1' });
  const home = agentHome(fleet, name, {}, { home: '0' });
  const wanted = '' as CommitId;
  const lane: Lane = {
    name,
    random,
    fleet,
    origin,
    home,
    tree,
    trees: new Map(),
    wanted,
    issuedAt: Date.now() - 3_600_000,
    lives: new Set(),
    homes: 0,
    damaged,
  };
  await publish(lane, 'small');
  await emptyServer(lane);
  return lane;
}

async function closeLane(lane: Lane): Promise<void> {
  await readers.unwatch(join(lane.home.root, PATH));
  await Promise.all([...lane.lives].map((life) => life.kill('SIGKILL')));
  await lane.fleet.stop();
}

const aFile = (random: Seeded): Node => ({
  kind: 'file',
  content: `${random.next()}\n`.repeat(1 + random.below(200)),
  executable: random.often(0.1),
});

/** The agent of this lane starts again from nothing, as on a new server. */
async function emptyServer(lane: Lane): Promise<void> {
  await readers.unwatch(join(lane.home.root, PATH));
  rmSync(lane.home.directory, { recursive: true, force: true });
  lane.homes += 1;
  const kept = { keepReleases: 1, keepFailedReleases: 0, releaseGrace: `${GRACE_MS}ms`, verifyInterval: '1s' };
  const objects = 'signed' as const;
  const settings = { ...kept, ...STEPS, verify: verify(), objects, allowUrls: [lane.origin.url] };
  lane.home = agentHome(lane.fleet, lane.name, settings, { home: String(lane.homes) });
  await readers.watch(join(lane.home.root, PATH), GRACE_MS, { storeMayBeAway: lane.damaged });
}

/** Commits a change and makes it the target. */
async function publish(lane: Lane, size: 'small' | 'pushed' | 'bundled' | 'large'): Promise<void> {
  const { random, tree } = lane;
  const paths = [...tree.keys()].filter((path) => path !== 'current');
  if (size === 'large') {
    for (const path of paths) if (random.often(0.8)) tree.set(path, aFile(random));
    tree.set('current', { kind: 'link', to: random.pick(paths) });
    // A directory where a file was, and a file where a directory was.
    if (tree.has('turn')) tree.delete('turn');
    else for (const path of [...tree.keys()].filter((name) => name.startsWith('turn/'))) tree.delete(path);
    tree.set(random.often(0.5) ? 'turn' : 'turn/inner', aFile(random));
  }
  // Not what has just gone: a file above a directory is no tree.
  const there = paths.filter((path) => tree.has(path));
  for (let changes = 1 + random.below(4); changes > 0; changes--) tree.set(random.pick(there), aFile(random));
  if (random.often(0.5)) tree.set(`new/${random.below(1_000)}`, aFile(random));
  const goes = paths.filter((path) => path.startsWith('new/'));
  if (random.often(0.3) && goes.length > 0) tree.delete(random.pick(goes));
  const commitId = commitTree(lane.origin, tree, size === 'pushed' ? 'loose' : 'packed');
  readers.expect(commitId, tree as Tree);
  lane.trees.set(commitId, new Map(tree));
  await target(lane, commitId, size === 'bundled' ? await bundled(lane, commitId) : {});
}

/** What the commit has and the present target lacks, put into ZooKeeper. */
async function bundled({ fleet, origin, wanted: base }: Lane, commitId: CommitId): Promise<object> {
  const pack = await makeBundle(git, { gitDir: origin.directory }, { base, commitId }, 256 * 1024, NEVER);
  if (pack === null) throw new Error('no pack');
  const digest = createHash('sha256').update(pack).digest('hex');
  await fleet.session.create(fleet.znodes.bundle(digest), pack, 'persistent');
  return { bundle: { digest, base, size: pack.length } };
}

async function target(lane: Lane, commitId: CommitId, more: object = {}): Promise<void> {
  const { app } = lane.fleet;
  lane.issuedAt += 1;
  const said = { version: 1, audience: 'kills', app, url: lane.origin.url, commitId, relativePath: PATH } as const;
  const signed = await signedConfig({ ...said, ref: null, issuedAt: lane.issuedAt }, key, more);
  await lane.fleet.setConfig(JSON.stringify(signed));
  lane.wanted = commitId;
}

function live(lane: Lane, failpoint?: string, situation?: Situation): Life {
  const reached = join(folder.path, `${lane.name}.reached`);
  rmSync(reached, { force: true });
  const points = failpoint === undefined ? {} : { FAILPOINT: failpoint, FAILPOINT_LOG: reached };
  if (situation !== 'left-behind') return begin(lane, lane.home, points);
  // A variable goes before a settings file only where a variable names the file as well.
  const [, settings] = lane.home.args.slice(lane.home.args.indexOf('--settings'));
  const home = { ...lane.home, args: ['agent', 'run'] };
  return begin(lane, home, { ...points, GITFLEET_SETTINGS: settings as string, GITFLEET_RELEASE_GRACE: '6s' });
}

function begin(lane: Lane, home: AgentHome, environment: Record<string, string> = {}): Life {
  const life = startLife(home, environment);
  lane.lives.add(life);
  return life;
}

/** Ends with `settled`, or with the life. */
async function outcome(lane: Lane, life: Life, settled: () => boolean, boundMs: number): Promise<'settled' | 'over'> {
  return await until(
    `${lane.name}: the agent settles on ${lane.wanted} or ends`,
    async () => (life.over !== null ? 'over' : settled() ? 'settled' : null),
    boundMs,
  );
}

/** Kills at this failpoint, however many deployments it takes to come by. */
async function killAt(lane: Lane, name: FailpointName, hit: number): Promise<void> {
  const ways = REACHED[name] ?? USUAL;
  const situation = ways[hit % ways.length] as Situation;
  if (situation === 'sick') return await killSick(lane, name);
  const nth = situation === 'small' && name !== 'fetch.before' ? 1 + (hit % 2) : 1;
  if (situation === 'first') await emptyServer(lane);
  if (situation === 'damaged') {
    await (await converge(lane)).kill('SIGTERM');
    truncatePacks(lane);
    await publish(lane, 'small');
  }
  const life = live(lane, `${name}:${nth}`, situation);
  for (let deployments = 0; deployments < 6; deployments++) {
    const ready = () =>
      settledOn(lane.home, PATH, lane.wanted) &&
      (situation === 'at-once' || spareOf(lane.home) === lane.wanted) &&
      (situation !== 'left-behind' || readdirSync(join(lane.home.app, 'releases')).length === 1);
    if ((await outcome(lane, life, ready, 90_000)) === 'over') break;
    const sized = situation === 'large' || situation === 'pushed' || situation === 'bundled';
    await publish(lane, sized ? situation : 'small');
  }
  const end = life.over ?? (await life.kill('SIGTERM'));
  const reached = readFileSync(join(folder.path, `${lane.name}.reached`), 'utf8')
    .trim()
    .split('\n')
    .at(-1);
  expect(`${end} at ${reached}`, `${lane.name}: ${situation}`).toBe(`SIGKILL at ${name}`);
}

/** Kills at this failpoint of the way back; then it is gone to its end, and the next release comes as if nothing was. */
async function killSick(lane: Lane, name: FailpointName): Promise<void> {
  await (await converge(lane)).kill('SIGTERM');
  const good = lane.wanted;
  lane.tree.set('sick', { kind: 'file', content: 'sick\n', executable: false });
  await publish(lane, 'small');
  expect(`${await live(lane, `${name}:1`).ended} at ${name}`, lane.name).toBe(`SIGKILL at ${name}`);
  const life = live(lane);
  await until(`${lane.name}: it is back`, async () => {
    const journal = JSON.parse(readFileSync(join(lane.home.appState, 'journal.json'), 'utf8'));
    return (
      journal.reversal === null && journal.gaveUp?.commitId === lane.wanted && shown(lane.home, PATH) !== lane.wanted
    );
  });
  // The one before, or an older one, where its agent ended before it could say that this one was proven, too.
  const back = shown(lane.home, PATH) as string;
  const { base } = JSON.parse(readFileSync(join(lane.home.appState, 'journal.json'), 'utf8'));
  expect([good, base?.commitId]).toContain(back);
  expect(onDisk(join(lane.home.root, PATH))).toEqual(meant(lane.trees.get(back) as Tree));
  await life.kill('SIGTERM');
  lane.tree.delete('sick');
  await publish(lane, 'small');
}

/** Halves every pack of the store, as a broken disk would. */
function truncatePacks(lane: Lane): void {
  const packs = join(lane.home.appState, 'store.git/objects/pack');
  for (const name of readdirSync(packs).filter((each) => each.endsWith('.pack'))) {
    truncateSync(join(packs, name), Math.floor(statSync(join(packs, name)).size / 2));
  }
}

/** Started as it is, the agent comes to the target alone; its tree is exactly the commit's. */
async function converge(lane: Lane): Promise<Life> {
  const life = live(lane);
  expect(await outcome(lane, life, () => settledOn(lane.home, PATH, lane.wanted), 90_000)).toBe('settled');
  expect(onDisk(join(lane.home.root, PATH))).toEqual(meant(lane.tree));
  return life;
}

async function killAtRandom(lane: Lane): Promise<void> {
  const { random } = lane;
  if (random.often(0.1)) await emptyServer(lane);
  if (random.often(0.5)) {
    const life = await converge(lane);
    if (random.often(0.5)) await systemClock.sleep(random.below(2_500));
    await publish(lane, random.pick(['large', 'small', 'pushed', 'bundled']));
    await systemClock.sleep(random.below(random.often(0.5) ? 400 : 2_500));
    await life.kill('SIGKILL');
  } else {
    if (random.often(0.5)) await publish(lane, 'small');
    const life = live(lane);
    await systemClock.sleep(random.below(2_000));
    await life.kill('SIGKILL');
  }
}

/** After all kills: converges alone, says so, and its disk is that of an agent which was never killed. */
async function settles(lane: Lane): Promise<void> {
  const life = await converge(lane);
  const { fleet, home, wanted } = lane;
  await fleet.reported(lane.name, 'active', (report) => report.phase === 'active' && report.activeCommit === wanted);
  expect(await shownCommit(home.root, PATH)).toBe(wanted);
  const asked = { ...STEPS, verify: verify(), allowUrls: [lane.origin.url] };
  const never = agentHome(fleet, `${lane.name}-never`, asked, { home: 'never' });
  const other = begin(lane, never);
  for (const each of [home, never]) {
    await until(
      `${each.id}: its chores are done`,
      async () => {
        const { releases } = JSON.parse(readFileSync(join(each.appState, 'journal.json'), 'utf8'));
        return spareOf(each) === wanted && Object.keys(releases).length === 1 && settledOn(each, PATH, wanted);
        // A release that is the fleet's last proven one stays until its successor is proven, by a leader yet to be elected.
      },
      90_000,
    );
  }
  // Looked at again while they live: git's own work in the background comes and goes.
  await until('the disk is that of an agent which was never killed', async () => {
    expect(namesBelow(home)).toEqual(namesBelow(never));
    return true;
  });
  expect(await life.kill('SIGTERM')).toBe(0);
  expect(await other.kill('SIGTERM')).toBe(0);
  await until('no process is left', async () => processesIn(fleet.directory).length === 0);
}

/** Every path, without what chance names, packs (they come one per fetch), and notes that a later second clears. */
function namesBelow(home: AgentHome): string[] {
  return [home.root, home.state]
    .flatMap((directory) => readdirSync(directory, { recursive: true, encoding: 'utf8' }))
    .filter((name) => !/objects\/pack\/pack-[0-9a-f]+\.(pack|idx|rev)$|\/gitfleet-racy$/.test(name))
    .map((name) => name.replace(/worktrees\/[^/]+/, 'worktrees/*'))
    .sort();
}

describe('kill -9 of a real agent', () => {
  it(`at every failpoint and at random moments leaves one whole commit, and a restart converges alone (seed ${SEED})`, async () => {
    const random = seeded(SEED);
    const killed: Record<string, number> = Object.fromEntries(FAILPOINTS.map((name) => [name, 0]));
    let randomKills = 0;
    let torn: readonly string[] = [];
    // What damages the store stays in one lane: there, and only there, HEAD cannot be read for a moment.
    const orders: (() => Promise<void>)[][] = [];
    const lanes: Lane[] = [];
    for (let at = 0; at < LANES; at++) {
      lanes.push(await openLane(`lane-${at}`, random.fork(), at === 0));
      orders.push([]);
    }
    const give = (lane: Lane, order: () => Promise<void>) => orders[lanes.indexOf(lane)]?.push(order);
    let next = 0;
    for (const name of FAILPOINTS) {
      for (let hit = 0; hit < HITS_EACH; hit++) {
        const lane = lanes[name === 'store.set-aside' ? 0 : next++ % LANES] as Lane;
        give(lane, async () => {
          await killAt(lane, name, hit);
          killed[name] = (killed[name] ?? 0) + 1;
        });
      }
    }
    for (let kill = 0; kill < RANDOM_KILLS; kill++) {
      const lane = lanes[next++ % LANES] as Lane;
      give(lane, async () => {
        await killAtRandom(lane);
        randomKills++;
      });
    }
    try {
      await Promise.all(
        lanes.map(async (lane, at) => {
          const mine = orders[at] ?? [];
          while (mine.length > 0) await mine.splice(lane.random.below(mine.length), 1)[0]?.();
          await settles(lane);
        }),
      );
    } finally {
      const { tally, problems } = await readers.seen();
      const armed = Object.values(killed).reduce((sum, count) => sum + count, 0);
      console.log(
        [
          `seed ${SEED}: ${armed + randomKills} kills, ${armed} at failpoints, ${randomKills} at random moments`,
          ...Object.entries(killed).map(([name, count]) => `  ${name}: ${count}`),
          `readers: ${JSON.stringify(tally)}`,
          ...problems,
        ].join('\n'),
      );
      torn = problems;
      for (const lane of lanes) await closeLane(lane);
    }
    expect(torn).toEqual([]);
    expect(FAILPOINTS.filter((name) => (killed[name] ?? 0) < HITS_EACH)).toEqual([]);
    expect(AGENT_FAILPOINTS.every((name) => (killed[name] ?? 0) > 0)).toBe(true);
  }, 3_600_000);

  it.each(['move.marked:3', 'recycle.forgotten:1'])(
    'at %s, while an old release becomes the spare, does not keep its commit from being wanted again',
    async (failpoint) => {
      const lane = await openLane('lane-back', seeded(SEED), false);
      try {
        const life = live(lane, failpoint);
        await outcome(lane, life, () => spareOf(lane.home) === lane.wanted, 90_000);
        const old = { commitId: lane.wanted, tree: new Map(lane.tree) };
        await publish(lane, 'small');
        expect(await life.ended).toBe('SIGKILL');
        expect(settledOn(lane.home, PATH, lane.wanted)).toBe(true);
        lane.tree = old.tree;
        await target(lane, old.commitId);
        await converge(lane);
      } finally {
        await closeLane(lane);
      }
    },
  );
});

describe('the readers of this test', () => {
  it('see a file of another commit, a missing file, a changed held tree and a missing link', async () => {
    const mine = startLinkReaders(join(folder.path, 'mine'));
    const root = join(folder.path, 'mine-root');
    const [release, link] = [join(root, 'a'), join(root, 'link')];
    writeFiles(root, { 'a/f': 'one', 'a/.git': `gitdir: ${root}/admin\n`, 'admin/HEAD': 'a\n' });
    symlinkSync('f', join(release, 'g'));
    symlinkSync('a', link);
    const file = (content: string): Node => ({ kind: 'file', content, executable: false });
    mine.expect(
      'a',
      new Map([
        ['f', file('one')],
        ['g', { kind: 'link', to: 'f' }],
      ]),
    );
    try {
      await mine.watch(link, 60_000);
      await until('a whole tree is read and held', async () => (await mine.seen()).tally.heldChecks > 3);
      expect((await mine.seen()).problems).toEqual([]);
      const seen = (words: RegExp) =>
        until(`${words} is seen`, async () => (await mine.seen()).problems.some((problem) => words.test(problem)));
      writeFileSync(join(release, 'f'), 'six');
      await Promise.all([seen(/link: a f is "644 six"/), seen(/held a: f is/), seen(/the open f changed/)]);
      rmSync(join(release, 'g'));
      await seen(/link: a g is missing/);
      rmSync(link);
      await seen(/the link is missing/);
    } finally {
      await mine.stop();
    }
  });
});
