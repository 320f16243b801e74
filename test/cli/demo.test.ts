import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { cleanEnvironment, gitfleet } from '../support/commands.ts';
import { type Started, start } from '../support/started.ts';

const exec = promisify(execFile);
const running: Started[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.cleanUp();
});

async function demo(...args: string[]): Promise<Started> {
  const started = await start(['demo', ...args]);
  running.push(started);
  return started;
}

describe('demo', () => {
  it('--exit ends with the exit code and the last line of the truth, and leaves nothing', async () => {
    const shown = await demo('--exit');
    expect(await shown.ended).toBe(0);
    expect(shown.said.trimEnd().split('\n').at(-1)).toMatch(/^demo: 3\/3 agents at [0-9a-f]{40}$/);
    expect(shown.said).toMatch(/git push: "Shop opens"[\s\S]*remote: d-1 [0-9a-f]{10}: 3\/3 online agents/);
    expect(shown.said).toContain("$ gitfleet rollback -m 'customers complain'\n");
    expect(shown.said).toMatch(/main still contains [0-9a-f]{10}: git revert [0-9a-f]{12}\n/);
    for (const id of ['web-1', 'web-2', 'web-3']) {
      expect(shown.said).toMatch(new RegExp(`${id}: HEAD [0-9a-f]{10}, index.txt says "Welcome to the shop"`));
    }
    await shown.leavesNothing();
  });

  it('stays up for a person until Ctrl-C, and then leaves nothing', async () => {
    const shown = await demo();
    await shown.prints(/Ctrl-C stops it/);
    const [, zookeeper = ''] = await shown.prints(/GITFLEET_ZOOKEEPER=(\S+)/);
    expect((await gitfleet(['status', '-z', zookeeper])).stdout).toContain('web-3');
    const [, clone = ''] = await shown.prints(/cd (\S+); edit, git commit -a, git push/);
    await writeFile(join(clone, 'index.txt'), 'played with\n');
    // As on a machine where nobody told git who they are.
    const env = cleanEnvironment({ GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' });
    await exec('git', ['commit', '-q', '-a', '-m', 'Play'], { cwd: clone, env });
    expect((await exec('git', ['push'], { cwd: clone, env })).stderr).toContain('3/3 online agents');
    const [, pid = ''] = await shown.prints(/kill -9 (\d+) stops web-3/);
    process.kill(Number(pid), 'SIGKILL');
    await shown.prints(/demo: web-3 ended \(SIGKILL\)/);
    shown.kill('SIGINT');
    expect(await shown.ended).toBe(0);
    await shown.leavesNothing();
  });

  it.each([
    ['its ZooKeeper starts', /^1\. /m],
    ['the app is made', /gitfleet init/],
    ['the agents start', /^2\. /m],
    ['the hook is installed', /gitfleet hook install/],
    ['a push deploys', /\$ git push/],
    ['a rollback runs', /gitfleet rollback/],
    ['it looks at the fleet', /^7\. /m],
  ])('Ctrl-C while %s ends it with 130, and leaves nothing', async (_, words) => {
    const shown = await demo('--exit');
    await shown.prints(words);
    shown.kill('SIGINT');
    expect(await shown.ended).toBe(130);
    await shown.leavesNothing();
  });
});
