import { execFileSync, spawn } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeBundle } from '../../git/host/make-bundle.ts';
import { GIT_FAILPOINTS } from '../../git/run/failpoints.ts';
import { createGit } from '../../git/run/process.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { CommitId } from '../../schemas/values.ts';
import { createOrigin, type Files, type GitOrigin, temporaryDirectory } from '../support/git/origin.ts';
import { SEED, SOAK, seeded } from '../support/seeded.ts';
import { aStore, inCommit, NEVER, onDisk, QUIET } from './test-store.ts';

/** Kills at random moments of the course, and at each failpoint (npm run soak:git). */
const RANDOM_KILLS = Number(process.env['GITFLEET_KILLS'] ?? (SOAK ? 150 : 5));
const HITS_EACH = Number(process.env['GITFLEET_KILLS_AT_EACH'] ?? (SOAK ? 3 : 1));
/** Between two looks of the readers. Without a pause they take a good part of a core. */
const LOOK_MS = SOAK ? 1 : 5;

const ROOT = join(import.meta.dirname, '../..');
let base: string;
let remove: () => void;
let victim: string;
let origin: GitOrigin;
let commits: CommitId[];
let bundle: string;
let expected: Map<string, Record<string, string>>;

beforeAll(async () => {
  ({ path: base, remove } = temporaryDirectory('kills'));
  victim = compiled(join(base, 'compiled'));
  origin = createOrigin(join(base, 'origin.git'));
  const files: Files = {};
  for (let at = 0; at < 120; at++) files[`d${at % 9}/f${at}`] = `${at}\n`.repeat(20 + (at % 50));
  commits = [
    origin.commit(files),
    origin.commit({ 'd0/f0': 'small change', new: 'x' }),
    origin.commit({
      ...Object.fromEntries(Object.keys(files).map((path) => [path, `all of ${path}`])),
      'd1/f1': { link: 'f10' },
    }),
    origin.commit({ 'd0/f0': 'again', 'd2/f2': null }),
    origin.commit({ 'd0/f0': 'last' }),
  ];
  const [from, to] = commits.slice(-2) as [CommitId, CommitId];
  const git = createGit({ clock: systemClock, log: QUIET, path: process.env['PATH'] });
  const pack = await makeBundle(git, { gitDir: origin.directory }, { base: from, commitId: to }, 256 * 1024, NEVER);
  bundle = pack?.toString('base64') ?? '';
  expected = new Map(commits.map((commitId) => [commitId, inCommit(origin.directory, commitId)]));
});
afterAll(() => remove());

/** The sources as JavaScript, because the victim is a plain node process. */
function compiled(out: string): string {
  mkdirSync(out, { recursive: true });
  const settings = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: { outDir: out, rootDir: ROOT, noCheck: true, sourceMap: false, noUnusedLocals: false, types: [] },
    include: [],
    files: [join(ROOT, 'test/git/kill-victim.ts')],
  };
  writeFileSync(join(out, 'tsconfig.json'), JSON.stringify(settings));
  writeFileSync(join(out, 'package.json'), '{"type":"module"}');
  symlinkSync(join(ROOT, 'node_modules'), join(out, 'node_modules'));
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(out, 'tsconfig.json')], {
    stdio: 'pipe',
  });
  return join(out, 'test/git/kill-victim.js');
}

interface Course {
  readonly base: string;
  /** What a reader ever saw that was not one whole commit. */
  readonly torn: string[];
}

interface End {
  readonly done: boolean;
  readonly hits: Record<string, number>;
}

/** One life of the victim; readers sample the link without pause meanwhile. */
async function live(course: Course, orders: object, killAfterMs?: number): Promise<End> {
  const text = JSON.stringify({ base: course.base, url: origin.url, commits, bundle, ...orders });
  const child = spawn(process.execPath, [victim, text], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let complained = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  child.stderr.on('data', (chunk) => {
    complained += chunk;
  });
  const cancel = killAfterMs === undefined ? () => {} : systemClock.after(killAfterMs, () => child.kill('SIGKILL'));
  let running = true;
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  void ended.then(() => {
    running = false;
  });
  while (running) {
    course.torn.push(...sample(course));
    await systemClock.sleep(LOOK_MS);
  }
  cancel();
  if (child.signalCode === 'SIGKILL') return { done: false, hits: {} };
  expect(complained, complained).toBe('');
  return JSON.parse(said.trim().split('\n').at(-1) ?? '{}') as End;
}

/** Which files a reader looks at. */
const reader = seeded(SEED);

/** Reads the served tree once, as a reader does: resolve the link, then read below that one directory. */
function sample(course: Course): string[] {
  let target: string;
  try {
    target = readlinkSync(join(course.base, 'root/web'));
  } catch {
    return []; // Nothing was ever deployed; `course` ends with a check that something was.
  }
  const wanted = expected.get(basename(target)) ?? {};
  const names = Object.keys(wanted);
  const [from, step] = [reader.below(names.length), 7];
  const problems: string[] = [];
  for (let at = from; at < from + 15 * step; at += step) {
    const name = names[at % names.length] as string;
    const path = join(course.base, 'root', target, name);
    try {
      const found = lstatSync(path).isSymbolicLink() ? `link ${readlinkSync(path)}` : readFileSync(path, 'latin1');
      if (!wanted[name]?.endsWith(found)) problems.push(`${target}: ${name} is not the commit's`);
    } catch (error) {
      // The victim removes old releases at once, without the grace of a real agent: a reader may be overtaken.
      if (readlinkSync(join(course.base, 'root/web')) === target) problems.push(`${target}: ${name}: ${error}`);
    }
  }
  return problems;
}

/** After all kills: converges alone, serves the last commit, and left nothing. */
async function settles(course: Course): Promise<void> {
  expect((await live(course, {})).done).toBe(true);
  expect(course.torn).toEqual([]);
  const last = commits.at(-1) as CommitId;
  const served = join(course.base, 'root', readlinkSync(join(course.base, 'root/web')));
  expect(onDisk(served)).toEqual(expected.get(last));
  const head = execFileSync('git', ['-C', served, 'rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  expect(head).toBe(last);
  const store = await aStore(course.base);
  expect(await store.inspect(served, last, NEVER, { deep: true })).toEqual({
    head: last,
    changed: [],
    missing: [],
    strangers: [],
  });
  store.close();
  const names = readdirSync(course.base, { recursive: true, encoding: 'utf8' });
  expect(
    names.filter((name) =>
      /\.lock$|tmp_|incoming-|\.keep$|\.new$|\.removing|\.making$|\.broken$|\.fresh$|\.suspect$/.test(name),
    ),
  ).toEqual([]);
  // A killed child takes a moment to go.
  const children = () =>
    readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(course.base));
  await expect.poll(children, { timeout: 5_000 }).toEqual([]);
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

let courses = 0;
function aCourse(): Course {
  const directory = join(base, `course-${courses++}`);
  mkdirSync(directory);
  return { base: directory, torn: [] };
}

describe('kill -9', () => {
  it('at each failpoint leaves the old commit or the new one, and a restart converges alone', async () => {
    const plain = aCourse();
    const { hits } = await live(plain, {});
    // That of a broken store being replaced has its own story in recover.test.ts.
    const mine = GIT_FAILPOINTS.filter((name) => name !== 'store.set-aside');
    expect(mine.filter((name) => !hits[name])).toEqual([]);
    await settles(plain);
    const killed: Record<string, number> = {};
    for (const name of mine) {
      for (let kills = 0; kills < HITS_EACH; ) {
        const course = aCourse();
        // The first life dies at the first hit; a later one has less left to do and may not come by again.
        for (const hit of [1, 1, 2].slice(0, HITS_EACH - kills)) {
          if (!(await live(course, { dieAt: { name, hit } })).done) kills++;
        }
        await settles(course);
        rmSync(course.base, { recursive: true });
        killed[name] = kills;
      }
    }
    console.log(`kills at each failpoint: ${JSON.stringify(killed)}`);
  }, 1_800_000);

  it(`at ${RANDOM_KILLS} random moments does so too (seed ${SEED})`, async () => {
    const random = seeded(SEED);
    for (let kills = 0; kills < RANDOM_KILLS; ) {
      const course = aCourse();
      for (let life = 0; life < 5 && kills < RANDOM_KILLS; life++, kills++) {
        await live(course, {}, 60 + random.next() * 700);
      }
      await settles(course);
      rmSync(course.base, { recursive: true });
    }
  }, 1_800_000);
});
