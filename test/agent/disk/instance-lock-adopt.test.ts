import { mkdir, mkdtemp, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { layoutOf } from '../../../agent/disk/layout.ts';
import { readAdoptions } from '../../../agent/local/adoption-record.ts';
import { NO_FAILPOINT } from '../../../agent/state/failpoints.ts';
import { readJournal } from '../../../agent/state/journal.ts';
import { localParts, openLocalAgent } from '../../../cli/daemon/local-agent.ts';
import { adoptHere } from '../../../cli/server/adopt.ts';
import { createGit } from '../../../git/run/process.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createShutdown } from '../../../runtime/shutdown.ts';
import { agentSettings, parseSettings } from '../../../schemas/settings/settings.ts';
import type { RelativePath } from '../../../schemas/values.ts';
import { git } from '../../support/commands.ts';
import { silentLog } from '../../support/log.ts';

let top: string;
let commitId: string;
const at = (...names: string[]) => join(top, ...names);
const layout = () => layoutOf(at('root'), at('state'), '/app/business');

/** A link of another tool that leads to a clone. */
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'gitfleet-adopt-'));
  await git(top, 'init', '--quiet', '--bare', at('shop.git'));
  await git(top, 'clone', '--quiet', `file://${at('shop.git')}`, at('theirs'));
  await git(at('theirs'), 'commit', '--quiet', '--allow-empty', '-m', 'a');
  await git(at('theirs'), 'push', '--quiet', 'origin', 'HEAD:main');
  commitId = await git(at('theirs'), 'rev-parse', 'HEAD');
  await mkdir(at('root'), { mode: 0o755 });
  await symlink(at('theirs'), at('root/shop'));
});
afterEach(() => rm(top, { recursive: true, force: true }));

/** @param failAt the failpoint that throws. */
async function adoptedHere(failAt?: string) {
  const allowUrls = [`file://${top}`];
  const own = { root: at('root'), state: at('state'), id: 'web-1', allowUrls };
  const settings = parseSettings({ zookeeper: { connect: 'localhost' }, agent: own }, 'web-1');
  const agent = agentSettings(settings);
  const shutdown = createShutdown(() => {});
  try {
    const local = await openLocalAgent(settings, agent, silentLog, shutdown, NO_FAILPOINT);
    const failpoint = (name: string) => {
      if (name === failAt) throw new Error('EIO: the disk is ill');
    };
    const git = createGit({ clock: systemClock, log: silentLog, path: process.env['PATH'] });
    const parts = { ...localParts(local, settings, agent, silentLog, failpoint), git };
    const wish = { relativePath: 'shop' as RelativePath, url: null, allowUrls, by: 'ann', reason: '' };
    return await adoptHere(parts, wish, shutdown.signal);
  } finally {
    await shutdown.stop();
  }
}

async function expectOurs(): Promise<void> {
  expect(basename(await readlink(at('root/shop')))).toBe(commitId);
  expect(await readJournal(layout().appState)).toMatchObject({
    links: { shop: commitId },
    releases: { [commitId]: { endedWell: true, leftAt: null } },
  });
}

describe('an adoption whose end fails', () => {
  it('is told as one that happened where the link was renamed but not synced, and is in the journal', async () => {
    await expect(adoptedHere('swap.renamed')).rejects.toMatchObject({
      code: 'ADOPTED_NOT_NOTED',
      message: expect.stringMatching(/root\/shop shows [0-9a-f]{40}, verified, .*EIO: the disk is ill$/),
    });
    await expectOurs();
  });

  it('is told as one that happened where its record cannot be written', async () => {
    await mkdir(join(layout().appState, 'adoptions.json.new', 'x'), { recursive: true });
    await expect(adoptedHere()).rejects.toMatchObject({ code: 'ADOPTED_NOT_NOTED' });
    await expectOurs();
    expect(await readAdoptions(layout().appState)).toEqual([]);
  });

  it('is none where it failed before the rename, and one that is ours already is refused as before', async () => {
    await expect(adoptedHere('swap.aside')).rejects.toThrow(/^EIO: the disk is ill$/);
    expect(await readlink(at('root/shop'))).toBe(at('theirs'));
    expect((await readJournal(layout().appState)).links).toEqual({});
    expect((await adoptedHere()).adoption.commitId).toBe(commitId);
    await expectOurs();
    await expect(adoptedHere()).rejects.toMatchObject({ code: 'ALREADY_OURS' });
  });
});
