import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ARepository, aRepository } from './test-repository.ts';

const exec = promisify(execFile);
let repository: ARepository;
beforeEach(async () => {
  repository = await aRepository();
});
afterEach(() => repository.remove());

it('the forced command of docs/install.md is one that git-shell runs', async () => {
  const text = await readFile(join(import.meta.dirname, '../../docs/install.md'), 'utf8');
  const [, command = ''] = /restrict,command="([^"]+)" ssh-ed25519/.exec(text) ?? [];
  expect(command).toContain('/srv/git/shop.git');
  const forced = command.replace('/srv/git/shop.git', repository.bare);
  const run = (words: string) => {
    const running = exec('git-shell', ['-c', words]);
    running.child.stdin?.on('error', () => {}).end('0000'); // A flush packet: we want nothing of what it offers.
    return running;
  };
  // Of a repository without refs: the end of their list.
  expect(await run(forced)).toMatchObject({ stdout: '0000' });
  await expect(run(forced.replaceAll("'", ''))).rejects.toThrow();
});

it('the forced command of docs/push.md names the author and runs what was asked', async () => {
  const text = await readFile(join(import.meta.dirname, '../../docs/push.md'), 'utf8');
  const [, quoted = ''] = /command="((?:[^"\\]|\\.)+)",restrict/.exec(text) ?? [];
  const command = quoted.replaceAll('\\"', '"');
  expect(command).toContain('GITFLEET_AUTHOR=ann');
  const env = { PATH: process.env['PATH'] ?? '', SSH_ORIGINAL_COMMAND: `git-upload-pack '${repository.bare}'` };
  const running = exec('sh', ['-c', command], { env });
  running.child.stdin?.on('error', () => {}).end('0000');
  expect(await running).toMatchObject({ stdout: '0000' });
  const told = command.replace('git-shell -c "$SSH_ORIGINAL_COMMAND"', 'printenv GITFLEET_AUTHOR');
  expect((await exec('sh', ['-c', told], { env })).stdout).toBe('ann\n');
});
