import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createStepRunner } from '../../../agent/steps/runner.ts';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { silentLog as log } from '../../support/log.ts';
import '../../support/lanes/starts-processes.ts';

describe('a step', () => {
  let release: string;
  beforeEach(async () => {
    release = await mkdtemp(join(tmpdir(), 'gitfleet-step-'));
  });
  afterEach(() => rm(release, { recursive: true, force: true }));

  it('makes files that the user of the application can read, whatever the umask of the agent', async () => {
    const path = '/usr/bin:/bin';
    const parts = {
      app: '/app/business',
      path,
      home: release,
      passed: () => ({}),
      state: release,
      units: () => null,
      clock,
      log,
    };
    const facts = { commitId: 'a'.repeat(40), previousCommitId: null, deployment: 1, targetVersion: '1.1' };
    const command = ['sh', '-c', 'mkdir node_modules && echo x > node_modules/x'];
    const before = process.umask(0o027);
    await createStepRunner(parts)
      .run('prepare', { command, timeout: 10_000 }, { ...facts, release, link: release }, new AbortController().signal)
      .finally(() => expect(process.umask(before)).toBe(0o027));
    const mode = async (name: string) => ((await stat(join(release, name))).mode & 0o777).toString(8);
    expect([await mode('node_modules'), await mode('node_modules/x')]).toEqual(['755', '644']);
  });
});
