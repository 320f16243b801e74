import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RestartUnits } from '../../../agent/steps/restart.ts';
import { createStepRunner } from '../../../agent/steps/runner.ts';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { FleetError } from '../../../runtime/errors.ts';
import type { StepCommand } from '../../../schemas/steps.ts';
import { silentLog } from '../../support/log.ts';
import '../../support/lanes/starts-processes.ts';

/** A `systemctl` that says how it was called: what systemd itself does with that shows test/packaging. */
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gitfleet-restart-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

const said = () => readFile(join(directory, 'said'), 'utf8').catch(() => '');
const restart = { units: ['shop.service', 'worker@1.service'], timeoutMs: 30_000 };

interface Activation {
  readonly command: StepCommand | undefined;
  readonly restart: RestartUnits;
}

const facts = { commitId: 'c', previousCommitId: null, link: '/l', deployment: 1, targetVersion: '1.1' };

async function activated(activation: Activation, signal = new AbortController().signal): Promise<FleetError | null> {
  const path = [directory, process.env['PATH']].join(delimiter);
  const parts = {
    app: '/app/a',
    path,
    home: '/tmp',
    passed: () => ({}),
    state: directory,
    units: () => activation.restart,
    clock,
    log: silentLog,
  };
  const ended = createStepRunner(parts).run('activate', activation.command, { ...facts, release: directory }, signal);
  const failure = await ended.then(
    () => null,
    (error: unknown) => error,
  );
  if (failure === null || failure instanceof FleetError) return failure;
  throw failure;
}

describe('the restart of units', () => {
  it('comes after the command, names the units and nothing else, and never asks for a password', async () => {
    const command = await program('released', 'echo command >> said');
    await program(
      'systemctl',
      `echo "$@" >> ${directory}/said; env | cut -d= -f1 | sort | tr '\\n' ' ' >> ${directory}/said`,
    );
    expect(await activated({ command: { command: [command], timeout: 30_000 }, restart })).toBeNull();
    const [first, second, variables] = (await said()).split('\n');
    expect([first, second]).toEqual(['command', 'restart --no-ask-password -- shop.service worker@1.service']);
    expect(variables ?? '').not.toMatch(/GITFLEET|NOTIFY|HOME/);
  });

  it('does not begin where the command failed', async () => {
    const command = await program('released', 'exit 3');
    await program('systemctl', `echo "$@" >> ${directory}/said`);
    const failure = await activated({ command: { command: [command], timeout: 30_000 }, restart });
    expect(failure?.code).toBe('ACTIVATE_FAILED');
    expect(await said()).toBe('');
  });

  it.each([
    [
      'echo "Failed to restart shop.service: Access denied" >&2; exit 4',
      /exited with 4: .*Access denied/,
      /agent install/,
    ],
    ['echo "Job for shop.service failed." >&2; exit 1', /exited with 1: Job for shop/, /journalctl -u shop\.service/],
    ['kill -9 $$', /was ended by SIGKILL/, /journalctl/],
  ])('fails with what systemd said, and what to do: %s', async (script, reason, hint) => {
    await program('systemctl', script);
    const failure = await activated({ command: undefined, restart });
    expect(failure).toMatchObject({ code: 'RESTART_FAILED', next: 'stall' });
    expect(failure?.message).toMatch(reason);
    expect(failure?.hint).toMatch(hint);
  });

  it('ends at its deadline, and at once with the agent', async () => {
    await program('systemctl', `echo begun >> ${directory}/said; exec sleep 600`);
    const failure = await activated({ command: undefined, restart: { ...restart, timeoutMs: 200 } });
    expect(failure?.message).toContain('did not end within 200 ms');
    const stop = new AbortController();
    const reason = new DOMException('stopping', 'AbortError');
    const ended = activated({ command: undefined, restart }, stop.signal);
    stop.abort(reason);
    await expect(ended).rejects.toBe(reason);
  });

  it('says so where there is no systemd', async () => {
    const parts = {
      app: '/a',
      path: directory,
      home: '/tmp',
      passed: () => ({}),
      state: directory,
      units: () => restart,
      clock,
      log: silentLog,
    };
    const at = { ...facts, release: '/' };
    const ended = createStepRunner(parts).run('activate', undefined, at, new AbortController().signal);
    await expect(ended).rejects.toMatchObject({ code: 'RESTART_FAILED', hint: expect.stringContaining('systemd') });
  });
});
