import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { CommitId } from '../../../schemas/values.ts';
import {
  type AgentHome,
  agentHome,
  type Life,
  settledOn,
  spareOf,
  startLife,
} from '../../support/agent/agent-process.ts';
import { MAIN } from '../../support/commands.ts';
import { TestFleet } from '../../support/fleet.ts';
import { createOrigin, type GitOrigin } from '../../support/git/origin.ts';
import { commitTree, meant, type Node, onDisk, type Tree } from '../../support/model-tree.ts';
import { SEED, type Seeded, SOAK, seeded } from '../../support/seeded.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/**
 * Random damage to all that an agent keeps: the store, the journal, releases and the spare, the other files of its
 * state; while it runs and while it is stopped. It heals, or it ends or stalls with a code whose hint is true: doing
 * what the hint says is enough. In the end the next commit and the one before are shown, each whole.
 */
const SEEDS = Array.from({ length: SOAK ? 30 : 3 }, (_, nth) => SEED + nth);
const ROUNDS = 2;

const servers = sharedServer();
let fleet: TestFleet;
let life: Life | null = null;
afterEach(async () => {
  await life?.kill('SIGKILL');
  life = null;
  await fleet.stop();
});

interface Course {
  readonly random: Seeded;
  readonly origin: GitOrigin;
  readonly home: AgentHome;
  readonly trees: Map<CommitId, Tree>;
  /** A copy of what was drawn once: the files of the state directory itself, but for the lock. */
  readonly backup: string;
  readonly told: string[];
}

describe('random damage to what an agent keeps', () => {
  it.each(SEEDS)('of seed %i is healed, or its code says what to do', { timeout: 1_200_000 }, async (seed) => {
    const course = await begin(seeded(seed));
    try {
      let last = await next(course);
      life = startLife(course.home, {}, MAIN);
      await settles(course, last);
      backUp(course);
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = last;
        await until('the spare is ready', async () => spareOf(course.home) === before);
        await damaged(course);
        last = await next(course);
        await settles(course, last);
        // Back to what is kept: it is compared with its commit before it is shown again.
        await target(course, before);
        await settles(course, before);
        await target(course, last);
        await settles(course, last);
      }
      expect(await life.kill('SIGTERM')).toBe(0);
    } catch (error) {
      const log = readFileSync(course.home.logFile, 'utf8').split('\n').slice(-8).join('\n').slice(-4_000);
      throw new Error(`seed ${seed}: ${course.told.join('; ')}: ${(error as Error).message}\n${log}`, { cause: error });
    }
    console.log(`seed ${seed}: ${course.told.join('; ')}`);
  });
});

async function begin(random: Seeded): Promise<Course> {
  fleet = await TestFleet.create(servers.connect());
  const origin = createOrigin(join(fleet.directory, 'origin.git'));
  const home = agentHome(fleet, 'web-1', {
    allowUrls: [origin.url],
    keepReleases: 3,
    drift: 'heal',
    resyncInterval: '1s',
    verifyInterval: '1s',
  });
  const backup = join(fleet.directory, 'backup');
  mkdirSync(backup);
  return { random, origin, home, backup, trees: new Map(), told: [] };
}

/** A commit that differs a little from the one before, and becomes the target. */
async function next(course: Course): Promise<CommitId> {
  const { random, trees } = course;
  const tree = new Map<string, Node>([...trees.values()].at(-1) ?? []);
  for (let n = tree.size === 0 ? 12 : 3; n > 0; n -= 1) {
    const content = `${random.next()}\n`.repeat(1 + random.below(40));
    tree.set(`d${random.below(3)}/f${random.below(12)}`, { kind: 'file', content, executable: random.often(0.2) });
  }
  const commitId = commitTree(course.origin, tree, random.pick(['packed', 'loose']));
  trees.set(commitId, tree);
  await target(course, commitId);
  return commitId;
}

async function target({ origin }: Course, commitId: CommitId): Promise<void> {
  await fleet.setConfig(JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' }));
}

const KINDS = ['flip', 'cut', 'empty', 'remove', 'directory', 'link'] as const;

async function damaged(course: Course): Promise<void> {
  const { random, home, told } = course;
  const stopped = random.often(0.5);
  if (stopped) expect(await (life as Life).kill('SIGTERM')).toBe(0);
  const store = filesBelow(join(home.appState, 'store.git'));
  const state = filesBelow(home.state).filter((file) => !store.includes(file) && !file.endsWith('.new'));
  const areas = {
    store,
    journal: [join(home.appState, 'journal.json')],
    releases: filesBelow(join(home.app, 'releases')),
    spare: filesBelow(join(home.app, 'spare')),
    state,
    owner: [join(home.root, '.gitfleet/owner')],
  };
  for (let n = random.often(0.5) ? 1 : 3; n > 0; n -= 1) {
    const area = random.pick(Object.keys(areas) as (keyof typeof areas)[]);
    const file = areas[area].length > 0 ? random.pick(areas[area]) : '';
    const kind = random.pick(KINDS);
    if (!existsSync(file) || !lstatSync(file).isFile()) continue;
    told.push(`${stopped ? 'stopped' : 'running'}: ${kind} ${area} ${file.slice(home.directory.length + 1)}`);
    spoil(file, kind, random.next());
  }
  if (stopped) life = startLife(home, {}, MAIN);
}

/** Once, while they are whole: none of them changes, and all that does change is below apps/. */
function backUp({ home, backup }: Course): void {
  const drawn = readdirSync(home.state, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const { name } of drawn) if (name !== 'lock') copyFileSync(join(home.state, name), join(backup, name));
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function spoil(file: string, kind: (typeof KINDS)[number], drawn: number): void {
  const bytes = readFileSync(file);
  rmSync(file);
  const at = Math.floor(drawn * bytes.length);
  if (kind === 'flip') {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (Math.floor(drawn * 8_191) % 8));
    writeFileSync(file, bytes);
    // What keeps size and time of the checkout, as bits that rot do, is found by the deep look of verifyInterval alone.
    const later = new Date(Date.now() + 2_000);
    utimesSync(file, later, later);
  } else if (kind === 'cut') writeFileSync(file, bytes.subarray(0, at));
  else if (kind === 'empty') writeFileSync(file, '');
  else if (kind === 'directory') mkdirSync(join(file, 'x'), { recursive: true });
  else if (kind === 'link') symlinkSync('/nowhere', file);
}

/** What each code's hint says to do, done; `words` are those of the failure. */
const HINTS: Readonly<Record<string, (course: Course, words: string) => void>> = {
  JOURNAL_UNREADABLE: ({ home }) => rmSync(join(home.appState, 'journal.json'), { recursive: true, force: true }),
  LOCK_LOST: () => {},
  // The owner file names another agent, as far as can be read of it, which is gone for good.
  ROOT_TAKEN: ({ home }) => rmSync(join(home.root, '.gitfleet/owner'), { recursive: true, force: true }),
  OWNER: ({ home }, words) => {
    rmSync(namedIn(words, /(\/\S+) is not a file of the agent's own/, home.directory), {
      recursive: true,
      force: true,
    });
  },
  // Where the hint leaves the choice, either is enough: enrolment is open here.
  STATE_UNREADABLE: ({ home, backup, random }, words) => {
    const file = namedIn(words, /(\/\S+) is not \S+ \S+ that an agent drew/, home.state);
    rmSync(file, { recursive: true, force: true });
    if (words.includes('; or remove it') && random.often(0.5)) return;
    copyFileSync(join(backup, basename(file)), file);
  },
};

/** The path that a failure names, which must be one of ours. */
function namedIn(words: string, form: RegExp, below: string): string {
  const [, path = ''] = form.exec(words) ?? [];
  if (!path.startsWith(`${below}/`)) throw new Error(`it names no path of ours: ${words}`);
  return path;
}

/** Shown whole, after as many deeds of a person as codes ask for. */
async function settles(course: Course, commitId: CommitId): Promise<void> {
  const { home, told, trees } = course;
  const isWhole = () => {
    if (!settledOn(home, 'shop', commitId)) return false;
    expect(onDisk(join(home.root, 'shop'))).toEqual(meant(trees.get(commitId) as Tree));
    return true;
  };
  const asked = new Set<string>();
  for (let deeds = 0; deeds < 5; deeds += 1) {
    const found = await until(
      `${commitId} is shown whole`,
      async () => {
        if (life?.over != null) return endOf(home);
        if (existsSync(join(home.appState, 'journal.json', 'x'))) return await reported(asked);
        return isWhole() ? 'whole' : null;
      },
      60_000,
    );
    if (found === 'whole') return;
    const [code = '', words = ''] = found;
    told.push(`${life?.over == null ? 'stalled' : `ended with ${life.over}`}, ${code}`);
    const follow = HINTS[code];
    if (!follow) throw new Error(`${code}, whose hint this test does not know: ${words}`);
    follow(course, words);
    if (life?.over == null) continue;
    // 6: the directory seems to be in use by another agent.
    expect([1, 6]).toContain(life.over);
    life = startLife(home, {}, MAIN);
  }
  throw new Error('it never runs, whatever is done');
}

/** What an agent that runs says a person must do; each code once. */
async function reported(asked: Set<string>): Promise<[code: string, words: string] | null> {
  const { code = '', reason = '', next } = (await fleet.report('web-1'))?.error ?? {};
  if (next !== 'stall' || asked.has(code)) return null;
  asked.add(code);
  return [code, reason];
}

/** The last words of an agent that has ended. */
function endOf({ logFile }: AgentHome): [code: string, words: string] {
  const text = readFileSync(logFile, 'utf8');
  const words = text.slice(text.lastIndexOf('gitfleet: '));
  return [/^gitfleet: ([A-Z_]+): /.exec(words)?.[1] ?? 'no code', words];
}
