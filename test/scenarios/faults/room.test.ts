import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_WAITING } from '../../../agent/state/retention.ts';
import { KEPT } from '../../../fleet/numbered.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { type AgentHome, agentHome, type Life, startLife } from '../../support/agent/agent-process.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { createOrigin, type GitOrigin } from '../../support/git/origin.ts';
import { commitTree, type Node } from '../../support/model-tree.ts';
import { SOAK } from '../../support/seeded.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** A disk on which an agent deploys without pause: what it let go is never the reason that a commit is refused. */
const servers = sharedServer();
let fleet: TestFleet;
let origin: GitOrigin;
let home: AgentHome;
let life: Life;
let small: string;

beforeEach(async () => {
  if (process.getuid?.() !== 0) throw new Error('this test mounts file systems: run it as root');
  fleet = await TestFleet.create(servers.connect());
  origin = createOrigin(join(fleet.directory, 'origin.git'));
  small = join(fleet.directory, 'small');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'gitfleet-test', small]);
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(readFileSync(home.logFile, 'utf8').split('\n').slice(-15).join('\n'));
  await life.kill('SIGKILL');
  execFileSync('umount', ['-l', small]);
  await fleet.stop();
});

const KB = 1024;
const file = (content: string): Node => ({ kind: 'file', content, executable: false });
const noise = (bytes: number): Node => file(randomBytes(bytes).toString('latin1'));
const commit = (tree: Record<string, Node>): CommitId => commitTree(origin, new Map(Object.entries(tree)));

async function deploy(commitId: CommitId): Promise<void> {
  await fleet.setConfig(JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' }));
  await fleet.reported('web-1', `${commitId} active`, (report) => report.activeCommit === commitId, 15_000);
}

const releases = () =>
  readdirSync(
    join(
      home.root,
      '.gitfleet',
      readdirSync(join(home.root, '.gitfleet')).find((name) => name !== 'owner') as string,
      'releases',
    ),
  );
const refused = () =>
  readFileSync(home.logFile, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"code":"NO_SPACE"'));

function startHere(keepReleases: number): void {
  home = agentHome(
    fleet,
    'web-1',
    { allowUrls: [origin.url], keepReleases, keepFailedReleases: 1 },
    { directory: small },
  );
  life = startLife(home);
}

interface Counted {
  readonly releases: number;
  readonly files: number;
  readonly kilobytes: number;
  readonly znodes: number;
}

async function counted(): Promise<Counted> {
  const { blocks, bfree, bsize } = statfsSync(small);
  return {
    releases: releases().length,
    files: filesBelow(small),
    kilobytes: ((blocks - bfree) * bsize) / KB,
    znodes: await nodesBelow(fleet.app),
  };
}

async function nodesBelow(path: string): Promise<number> {
  const children = (await fleet.session.children(path)) ?? [];
  const below = await Promise.all(children.map((name) => nodesBelow(`${path}/${name}`)));
  return children.length + below.reduce((sum, each) => sum + each, 0);
}

/** The agent removes while we count. */
function filesBelow(directory: string): number {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.reduce(
      (sum, each) => sum + 1 + (each.isDirectory() ? filesBelow(join(directory, each.name)) : 0),
      0,
    );
  } catch {
    return 0;
  }
}

it('deployments without pause never fill it; files and znodes stay flat', { timeout: 3_600_000 }, async () => {
  startHere(2);
  const seen: Counted[] = [];
  for (let nth = 0; nth < (SOAK ? 500 : 40); nth += 1) {
    await deploy(commit({ index: file(`${nth}`), noise: noise(700 * KB) }));
    seen.push(await counted());
  }
  expect(refused()).toEqual([]);
  const most = (of: keyof Counted, from: number, to = seen.length) =>
    Math.max(...seen.slice(from, to).map((each) => each[of]));
  console.log(
    `${seen.length} deployments: at most ${most('releases', 0)} releases, ${most('files', 0)} files, ` +
      `${most('kilobytes', 0)} KiB, ${most('znodes', 0)} znodes`,
  );
  expect(most('releases', 0)).toBeLessThanOrEqual(2 + 1 + MAX_WAITING + 1);
  // Full after some twenty; from there on nothing grows but the records of deployments and their outcomes, which end at 200.
  expect(most('files', 30)).toBeLessThanOrEqual(most('files', 0, 30) * 1.5);
  expect(most('znodes', 0)).toBeLessThanOrEqual(most('znodes', 0, 1) + 2 * KEPT);
});

it('a commit of two bytes is deployed though others have filled the disk', { timeout: 120_000 }, async () => {
  startHere(1);
  for (let nth = 0; nth < 4; nth += 1) await deploy(commit({ index: file(`${nth}`), noise: noise(700 * KB) }));
  const { bavail, bsize } = statfsSync(small);
  writeFileSync(join(small, 'filler'), Buffer.alloc(bavail * bsize - 8 * KB, 'x'));
  const two = commit({ index: file('ok') });
  await deploy(two);
  expect(await shownCommit(home.root, 'shop')).toBe(two);
});
