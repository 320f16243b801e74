import { chmod, chown, lstat, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemClock as clock } from '../../runtime/clock.ts';
import { writeDurably } from '../../runtime/durable-file.ts';
import { FleetError } from '../../runtime/errors.ts';
import { run } from '../../runtime/process.ts';
import { clean } from '../../runtime/safe-text.ts';
import { idsOfUser } from '../shell/agent-user.ts';
import { type SetupItem, underPrefix } from './server-setup.ts';

/** The result for one item, with a note for the person who runs it. */
export interface Applied {
  readonly what: string;
  readonly did: 'there' | 'kept' | 'made' | 'changed' | 'removed' | 'skipped';
  readonly note?: string;
}

export interface Where {
  /** `/`, or a directory in its place: then no user is created and no owner changes. */
  readonly prefix: string;
  /** Changes nothing. */
  readonly dryRun: boolean;
  readonly user: string;
}

/** Makes one item what it should be; does nothing if it already is. @throws FleetError SETUP_FAILED */
export async function applyItem(item: SetupItem, where: Where): Promise<Applied> {
  switch (item.kind) {
    case 'user':
      return await makeUser(item, where);
    case 'directory':
      return await makeDirectory(item, where);
    case 'file':
      return await makeFile(item, where);
    case 'absent':
      return await removeFile(item.path, where);
  }
}

async function makeUser({ name, home }: Extract<SetupItem, { kind: 'user' }>, where: Where): Promise<Applied> {
  const what = `user ${name}`;
  if (where.prefix !== '/') return { what, did: 'skipped', note: 'only on the machine itself' };
  if ((await idsOfUser(name)) !== null) return { what, did: 'there' };
  if (!where.dryRun) {
    const options = [
      '--system',
      '--user-group',
      '--home-dir',
      home,
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
    ];
    await command(['useradd', ...options, name]);
  }
  return { what, did: 'made' };
}

async function makeDirectory(item: Extract<SetupItem, { kind: 'directory' }>, where: Where): Promise<Applied> {
  const path = underPrefix(where.prefix, item.path);
  const found = await stat(path).catch(() => null);
  const ids = where.prefix === '/' ? await idsOfUser(where.user) : null;
  if (found && !found.isDirectory())
    throw FleetError.of('SETUP_FAILED', `${path} exists and is not a directory`, 'move it away');
  if (found) {
    if (!item.ofAgent || ids === null || found.uid === ids.uid) return { what: path, did: 'there' };
    const note = `belongs to user ${found.uid}, not to ${where.user}: chown ${where.user}: ${path} if it is for the agent`;
    return { what: path, did: 'kept', note };
  }
  if (!where.dryRun) {
    // Missing parents are created too, and all users can enter them.
    await mkdir(path, { recursive: true, mode: 0o755 });
    await chmod(path, item.mode);
    if (item.ofAgent && ids) await chown(path, ids.uid, ids.gid);
  }
  return { what: path, did: 'made' };
}

async function makeFile(item: Extract<SetupItem, { kind: 'file' }>, where: Where): Promise<Applied> {
  const path = underPrefix(where.prefix, item.path);
  const there = await readFile(path, 'utf8').catch(() => null);
  if (there === item.content) return { what: path, did: 'there' };
  if (there !== null && item.keep) return { what: path, did: 'kept' };
  if (!where.dryRun) {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await writeDurably(path, item.content, 0o644);
    await chmod(path, 0o644);
  }
  return { what: path, did: there === null ? 'made' : 'changed' };
}

async function removeFile(file: string, where: Where): Promise<Applied> {
  const path = underPrefix(where.prefix, file);
  if ((await lstat(path).catch(() => null)) === null) return { what: path, did: 'there', note: 'not needed, absent' };
  if (!where.dryRun) await rm(path);
  return { what: path, did: 'removed' };
}

/** @throws FleetError SETUP_FAILED with the command's error output. */
export async function command(argv: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await output(argv);
  if (exitCode !== 0)
    throw FleetError.of(
      'SETUP_FAILED',
      `${argv.join(' ')} failed: ${clean(stderr.trim(), 500)}`,
      'fix that, and run the command again',
    );
}

async function output(argv: readonly string[]) {
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };
  const ran = await run(argv, { env, clock, timeoutMs: 120_000, maxBytes: 64 * 1024, keep: 'tail' });
  const stderr = ran.cause ? String(ran.cause.message) : ran.stderr.toString('utf8');
  return { exitCode: ran.exitCode, stdout: ran.stdout.toString('utf8'), stderr };
}
