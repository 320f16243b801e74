import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { parsePresence, type Report } from '../../../schemas/report.ts';
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
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { createOrigin, type GitOrigin } from '../../support/git/origin.ts';
import { commitTree, meant, type Node, onDisk, type Tree } from '../../support/model-tree.ts';
import { SEED, type Seeded, SOAK, seeded } from '../../support/seeded.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/**
 * Whatever targets come, in whatever order, with kills between: the links end at the last accepted target of their
 * path, as whole trees, and a refused target changes nothing. Several agents run side by side, each with its own app.
 */
const AGENTS = SOAK ? 6 : 3;
const TARGETS = SOAK ? 100 : 12;
const PATHS = ['shop', 'sites/a', 'sites/b'];

const servers = sharedServer();
let fleets: TestFleet[] = [];
let lives: Life[] = [];
afterEach(async () => {
  await Promise.all(lives.map((life) => life.kill('SIGKILL')));
  await Promise.all(fleets.map((fleet) => fleet.stop()));
  [fleets, lives] = [[], []];
});

interface Course {
  readonly random: Seeded;
  readonly fleet: TestFleet;
  readonly origin: GitOrigin;
  readonly home: AgentHome;
  life: Life;
  tree: Map<string, Node>;
  readonly commits: Map<CommitId, Tree>;
  /** What each path may show; more than one where a target was overtaken before anybody looked. */
  readonly may: Map<string, Set<CommitId | null>>;
  /** What happened, for whoever has to understand a failure. */
  readonly story: string[];
}

async function begin(name: string, random: Seeded): Promise<Course> {
  const fleet = await TestFleet.create(servers.connect());
  fleets.push(fleet);
  const origin = createOrigin(join(fleet.directory, 'origin.git'));
  const settings = {
    keepReleases: 2,
    keepFailedReleases: 1,
    releaseGrace: '1s',
    verifyInterval: '1s',
    allowUrls: [origin.url],
  };
  const home = agentHome(fleet, name, settings);
  const may = new Map(PATHS.map((path) => [path, new Set<CommitId | null>([null])]));
  const life = startLife(home);
  lives.push(life);
  return { random, fleet, origin, home, life, tree: new Map(), commits: new Map(), may, story: [] };
}

const NAMES = ['a', 'b', 'c', 'ä', 'with space', '-dash', '.hidden'];
const somePath = (random: Seeded): string =>
  Array.from({ length: 1 + random.below(3) }, () => random.pick(NAMES)).join('/');

function someBytes(random: Seeded, length = random.below(3_000)): string {
  return Buffer.from(Array.from({ length }, () => random.below(256))).toString('latin1');
}

/** At this path and nowhere above or below it: files become directories, and directories files. */
function put(tree: Map<string, Node>, path: string, node: Node): void {
  for (const other of [...tree.keys()]) {
    if (other === path || other.startsWith(`${path}/`) || path.startsWith(`${other}/`)) tree.delete(other);
  }
  tree.set(path, node);
}

function change(tree: Map<string, Node>, random: Seeded): void {
  const paths = [...tree.keys()];
  const path = paths.length > 0 && random.often(0.7) ? random.pick(paths) : somePath(random);
  const node = tree.get(path);
  switch (random.below(7)) {
    case 0:
      put(tree, path, { kind: 'file', content: `${random.next()}\n`, executable: false });
      return;
    case 1:
      put(tree, path, { kind: 'file', content: someBytes(random), executable: random.often(0.3) });
      return;
    case 2:
      put(tree, path, { kind: 'link', to: random.pick(NAMES) });
      return;
    case 3:
      tree.delete(path);
      return;
    case 4: // A rename.
      tree.delete(path);
      put(tree, somePath(random), node ?? { kind: 'file', content: '', executable: false });
      return;
    case 5: // A mode, where there is one.
      if (node?.kind === 'file') tree.set(path, { ...node, executable: !node.executable });
      return;
    default: // Other bytes of the same length: what git tells apart by content alone, within one second.
      if (node?.kind === 'file') tree.set(path, { ...node, content: someBytes(random, node.content.length) });
  }
}

function nextCommit(course: Course): CommitId {
  const { random, tree } = course;
  if (random.often(0.05)) tree.clear();
  for (let changes = 1 + random.below(random.often(0.2) ? 60 : 6); changes > 0; changes--) change(tree, random);
  const commitId = commitTree(course.origin, tree, random.pick(['packed', 'loose']));
  course.commits.set(commitId, new Map(tree));
  return commitId;
}

const anyCommit = (course: Course): CommitId => course.random.pick([...course.commits.keys()]);

async function set(course: Course, target: { url?: string; commitId: string; relativePath: string }): Promise<void> {
  course.story.push(`${target.commitId.slice(0, 10)} at ${target.relativePath}`);
  await course.fleet.setConfig(JSON.stringify({ url: course.origin.url, ...target }));
}

/** None to three kills at random moments, and a start after each. */
async function killSometimes(course: Course): Promise<void> {
  while (course.random.often(0.3)) {
    const afterMs = course.random.below(course.random.often(0.5) ? 150 : 1_500);
    await systemClock.sleep(afterMs);
    await course.life.kill('SIGKILL');
    course.story.push(`killed after ${afterMs} ms`);
    course.life = startLife(course.home);
    lives.push(course.life);
  }
}

async function accepted(course: Course, isLast: boolean): Promise<void> {
  const { random, may } = course;
  const roll = random.next();
  const commitId = course.commits.size === 0 || roll < 0.6 ? nextCommit(course) : anyCommit(course);
  const relativePath = random.often(0.75) ? 'shop' : random.pick(PATHS);
  await set(course, { commitId, relativePath });
  await killSometimes(course);
  if (!isLast && random.often(0.2)) {
    may.get(relativePath)?.add(commitId);
    course.story.push('overtaken');
    return;
  }
  await until(
    `${course.home.id} settles on ${commitId} at ${relativePath}`,
    async () => settledOn(course.home, relativePath, commitId),
    60_000,
  );
  may.set(relativePath, new Set([commitId]));
  checkLinks(course);
  // What was overtaken is over: from here on no path changes that is not asked to.
  for (const path of PATHS) may.set(path, new Set([shown(course.home, path)]));
  if (random.often(0.4)) await until('the spare is ready', async () => spareOf(course.home) === commitId);
}

/** A target that no agent may take, of every kind: by its url, path, id, and by what the commit holds. */
async function refused(course: Course): Promise<void> {
  const { random } = course;
  const relativePath = 'shop';
  const odd = (path: string, node: Node): CommitId => {
    const tree = new Map(course.tree);
    put(tree, path, node);
    return commitTree(course.origin, tree, random.pick(['packed', 'loose']));
  };
  const good = anyCommit(course);
  const target = random.pick([
    () => ({ commitId: good, relativePath, url: 'https://elsewhere.example/shop.git' }),
    () => ({ commitId: good, relativePath: '../up' }),
    () => ({ commitId: good, relativePath: '.gitfleet/x' }),
    () => ({ commitId: good, relativePath: 'sites' }),
    () => ({ commitId: good.slice(0, 12), relativePath }),
    () => ({ commitId: odd('a/out', { kind: 'link', to: '../../../../../etc' }), relativePath }),
    () => ({ commitId: odd('module', { kind: 'module', commitId: good }), relativePath }),
  ])();
  await set(course, target);
  await killSometimes(course);
  const fits = (report: Report) => report.phase === 'failed' && report.error?.next === 'stall';
  const report = await course.fleet.reported(course.home.id, 'refused', fits, 60_000);
  course.story.push(`refused: ${report.error?.code}`);
  checkLinks(course);
}

/** Each path shows what it may, and that is the whole commit. */
function checkLinks(course: Course): void {
  for (const [path, may] of course.may) {
    const commitId = shown(course.home, path);
    if (!may.has(commitId)) throw new Error(`${path} shows ${commitId}, not one of ${[...may].join(', ')}`);
    if (commitId === null) continue;
    expect(onDisk(join(course.home.root, path))).toEqual(meant(course.commits.get(commitId) as Tree));
  }
}

async function runCourse(course: Course): Promise<void> {
  try {
    for (let at = 1; at <= TARGETS; at++) {
      const isLast = at === TARGETS;
      // `sites` is refused because links of ours are below it; and what a refusal leaves must be known.
      const certain = [...course.may.values()].every((each) => each.size === 1 && !each.has(null));
      if (certain && !isLast && course.random.often(0.3)) await refused(course);
      else if (at <= PATHS.length) await first(course, PATHS[at - 1] as string);
      else await accepted(course, isLast);
    }
    for (const [path, may] of course.may) {
      const commitId = shown(course.home, path);
      expect(may).toContain(commitId);
      expect(await shownCommit(course.home.root, path)).toBe(commitId);
    }
    await until('the last life is online', async () => {
      const node = await course.fleet.session.get(course.fleet.znodes.presence(course.home.id));
      return node && parsePresence(node.data)?.pid === course.life.pid;
    });
    expect(await course.life.kill('SIGTERM')).toBe(0);
  } catch (error) {
    const story = course.story.map((line) => `  ${line}`).join('\n');
    throw new Error(`seed ${SEED}, ${course.home.id}: ${(error as Error).message}\n${story}`, { cause: error });
  }
}

/** Each path gets its link before anything else, so that it is known what must stay. */
async function first(course: Course, relativePath: string): Promise<void> {
  const commitId = nextCommit(course);
  await set(course, { commitId, relativePath });
  await killSometimes(course);
  await until(`${course.home.id} settles on ${commitId}`, async () => settledOn(course.home, relativePath, commitId));
  course.may.set(relativePath, new Set([commitId]));
  checkLinks(course);
}

describe('any sequence of targets', () => {
  it(`ends with trees equal to the last accepted ones (${AGENTS} x ${TARGETS} targets, seed ${SEED})`, async () => {
    const random = seeded(SEED);
    const courses: Course[] = [];
    for (let at = 1; at <= AGENTS; at++) courses.push(await begin(`web-${at}`, random.fork()));
    await Promise.all(courses.map(runCourse));
    const stories = courses.flatMap(({ story }) => story);
    const count = (words: RegExp) => stories.filter((line) => words.test(line)).length;
    const targets = count(/ at /);
    console.log(
      `seed ${SEED}: ${targets} targets, ${count(/^refused/)} refused, ${count(/^overtaken/)} overtaken, ${count(/^killed/)} kills`,
    );
    expect(targets).toBe(AGENTS * TARGETS);
  }, 3_600_000);
});
