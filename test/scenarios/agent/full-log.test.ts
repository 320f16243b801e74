import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
let mounted: string | null = null;
afterEach(async () => {
  await fleet.stop();
  if (mounted !== null) execFileSync('umount', ['-l', mounted]);
  mounted = null;
});

it('an agent whose log and errors go to a full disk is online, deploys, and ends on SIGTERM', async () => {
  const { agent, origin } = await started('/dev/full');
  for (const content of ['one', 'two']) await deploys(agent, origin, content);
  await endsInTime(agent);
});

it('an agent counts the lines that its full log disk loses, says so once there is room, and deploys all the while', async () => {
  if (process.getuid?.() !== 0) throw new Error('this test mounts file systems: run it as root');
  const disk = join(tmpdir(), `gitfleet-log-${process.pid}`);
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'gitfleet-test', disk]);
  mounted = disk;
  const log = join(disk, 'agent.log');
  const { agent, origin } = await started(log);
  await deploys(agent, origin, 'before');
  for (const round of ['first', 'second']) {
    fill(disk);
    const full = readFileSync(log, 'utf8');
    for (const nth of [1, 2]) await deploys(agent, origin, `${round}, ${nth} while it is full`);
    // What still fits into its last page is written; then nothing is.
    const { length } = readFileSync(log, 'utf8');
    expect(length - full.length).toBeLessThan(PAGE);
    rmSync(join(disk, 'filler'));
    await deploys(agent, origin, `${round}, with room`);
    const lines = linesOf(readFileSync(log, 'utf8').slice(full.length));
    const notes = lines.filter((line) => typeof line['lost'] === 'number');
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatchObject({ level: 'warn', code: 'ENOSPC', agentId: 'web-1' });
    expect(notes[0]?.['lost']).toBeGreaterThan(5);
    expect(lines.slice(lines.indexOf(notes[0] as Line)).length).toBeGreaterThan(5);
  }
  fill(disk);
  await endsInTime(agent);
});

const PAGE = 4_096;

async function started(log: string): Promise<{ agent: TestAgent; origin: Origin }> {
  fleet = await TestFleet.create(servers.connect());
  const home = join(fleet.directory, 'agents', 'web-1');
  mkdirSync(home, { recursive: true });
  symlinkSync(log, join(home, 'agent.log'));
  const agent = await fleet.startAgent('web-1', { settings: { log: { level: 'debug' } } });
  await fleet.online(1);
  return { agent, origin: await fleet.origin() };
}

async function deploys(agent: TestAgent, origin: Origin, content: string): Promise<void> {
  const commitId = await origin.commit(content, { f: content });
  expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
  expect(await shownCommit(agent.root, 'shop')).toBe(commitId);
}

async function endsInTime(agent: TestAgent): Promise<void> {
  const began = systemClock.monotonic();
  await agent.kill('SIGTERM');
  expect(systemClock.monotonic() - began).toBeLessThan(10_000);
  expect(agent.process.exitCode).toBe(0);
}

function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize, 'x'));
}

type Line = Record<string, unknown>;

/** One may have been cut when the disk filled up: it ends where it was cut, and is no JSON. */
function linesOf(text: string): Line[] {
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Line];
    } catch {
      return [];
    }
  });
}
