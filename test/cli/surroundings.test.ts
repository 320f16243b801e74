import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { cleanEnvironment, gitfleet, MAIN } from '../support/commands.ts';

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gitfleet-surroundings-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

it('a command on a server works with a variable that only ZooKeeper needs', async () => {
  const top = await scratch();
  const where = ['--root', join(top, 'root'), '--state', join(top, 'state')];
  const said = await gitfleet(['agent', 'status', ...where], { env: { GITFLEET_AUTH_FILE: '/nonexistent' } });
  expect(said).toMatchObject({ exitCode: 0, stderr: '' });
});

it('in a directory that was removed, absolute paths do, and relative ones are refused', async () => {
  const top = await scratch();
  const inRemoved = (root: string, state: string) =>
    new Promise<{ exitCode: number; stderr: string }>((resolve) => {
      const script = 'mkdir "$1/gone" && cd "$1/gone" && rmdir "$1/gone" && shift && exec "$@"';
      const words = [process.execPath, MAIN, 'agent', 'status', '--root', root, '--state', state];
      execFile('sh', ['-c', script, 'sh', top, ...words], { env: cleanEnvironment() }, (error, _, stderr) =>
        resolve({ exitCode: Number(error?.code ?? 0), stderr }),
      );
    });
  expect(await inRemoved(join(top, 'root'), join(top, 'state'))).toEqual({ exitCode: 0, stderr: '' });
  expect(await inRemoved('root', 'state')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('USAGE: the working directory was removed'),
  });
});
