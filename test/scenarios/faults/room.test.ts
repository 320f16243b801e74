import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_WAITING } from '../../../agent/state/retention.ts';
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
  if (task.result?.state === 'fail')
    console.log(
      execFileSync(
        'sh',
        [
          '-c',
          `du -k ${small} | sort -n | tail -12; ls ${small}/state/apps/*/store.git/objects/pack | wc -l; ls -a ${small}/root/.gitfleet/*/ ${small}/root/.gitfleet/*/releases; cat ${small}/state/apps/*/store.git/shallow | wc -l; grep -E 'packed|old release removed|needs' ${home.logFile} | tail -40 | cut -c1-300`,
        ],
        { encoding: 'utf8' },
      ),
    );
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

it('deployments without pause never fill it, and directories stay flat', { timeout: 3_600_000 }, async () => {
  startHere(2);
  let most = 0;
  for (let nth = 0; nth < (SOAK ? 500 : 40); nth += 1) {
    await deploy(commit({ index: file(`${nth}`), noise: noise(700 * KB) }));
    most = Math.max(most, releases().length);
  }
  expect(refused()).toEqual([]);
  expect(most).toBeLessThanOrEqual(2 + 1 + MAX_WAITING + 1);
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
