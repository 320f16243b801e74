import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, mkdir, open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { endOrphans } from '../../git/run/orphans.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Code } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';
import { flock } from '../../runtime/flock.ts';
import { nullIf, readIfThere } from '../../runtime/read-if-there.ts';
import { checkOwner, checkWriters, type Layout, statOfRoot } from './layout.ts';
import { bootId, machineDigest, machineName } from './machine-id.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;

/** What an agent stands on: its directories, exclusively. */
export interface InstanceLock {
  /** The descriptor whose lock says that this state directory is taken; git children inherit it. */
  readonly lockFd: number;
  /** New for each process. */
  readonly instanceId: string;
  /** The same for one state directory on one boot of one machine: with it and the lock, the predecessor is dead. */
  readonly machineId: string;
  /**
   * Makes directories of ours again that were removed below the root. What cannot be made again under a running agent
   * (its locks, its journal) ends it. @throws FleetError LOCK_LOST, OWNER.
   */
  renew(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes state directory and root for this agent, or refuses. Both locks are flock(2) on an open descriptor: kill -9
 * frees them, a git child that outlives its agent keeps the state's. Directories are made with the modes of
 * docs/design.md section 4, whatever the umask. Children of a dead predecessor are ended first.
 * @param waitMs how long a lock may still be held by a predecessor that is just ending.
 * @param machineIdFile only tests name another.
 * @throws FleetError STATE_TAKEN, ROOT_TAKEN, NO_FLOCK, LOCK_FAILED; SYMLINK, NOT_DIR, OWNER where the root is not ours;
 * SETTINGS where root or state cannot be a directory.
 */
export async function takeInstanceLock(
  layout: Layout,
  agentId: string,
  waitMs = 3_000,
  machineIdFile = '/etc/machine-id',
): Promise<InstanceLock> {
  await makeNamed('state', layout.state, 0o700);
  await checkState(layout.state);
  await endOrphans(layout.state, systemClock);
  const lock = await takeLock(join(layout.state, 'lock'), 0o600, 'STATE_TAKEN', layout.state, waitMs);
  try {
    const machine = await machineName(machineIdFile, layout.state, agentId);
    // From the root down, each before anything below it is opened or made: we may be root, and these others' links.
    await makeNamed('root', layout.root, 0o755);
    checkOwner(layout.root, await statOfRoot(layout.root, uid()), uid());
    const below = join(layout.root, '.gitfleet');
    await makeDirectory(below, 0o755).catch(nullIf('EEXIST')); // What is there is judged in the next line.
    checkOwner(below, await lstat(below), uid());
    const owner = await takeOwner(layout, agentId, machine, waitMs);
    await makeDirectory(layout.releases, 0o755);
    await makeDirectory(join(layout.state, 'apps'), 0o700);
    await makeDirectory(layout.appState, 0o700);
    const inode = await lock.stat();
    const held = [
      { path: join(layout.state, 'lock'), ino: inode.ino },
      { path: ownerFile(layout.root), ino: (await owner.stat()).ino },
      { path: layout.appState, ino: (await lstat(layout.appState)).ino },
    ];
    return {
      lockFd: lock.fd,
      instanceId: randomUUID(),
      machineId: machineDigest(`${machine}|${await bootId()}|${inode.dev}:${inode.ino}`),
      async renew() {
        for (const { path, ino } of held) {
          const found = await lstat(path).catch(nullIf('ENOENT', 'ENOTDIR'));
          if (found?.ino !== ino) throw FleetError.of('LOCK_LOST', `${path} was removed or replaced under this agent`);
        }
        await checkState(layout.state);
        await makeDirectory(layout.releases, 0o755);
      },
      async release() {
        await owner.close();
        await lock.close();
      },
    };
  } catch (error) {
    await lock.close();
    throw error;
  }
}

/** Who could write there could put words in the mouth of the agent: its journal, its overrides, its identity. */
async function checkState(state: string): Promise<void> {
  const found = await statOfRoot(state, uid());
  checkOwner(state, found, uid());
  try {
    checkWriters(state, found);
  } catch (error) {
    const hint = `chmod 700 ${state}, or name a directory below it as agent.state: the agent makes that`;
    throw FleetError.of('OWNER', (error as Error).message, hint, error);
  }
}

/** What the settings name is made, unless something else than a directory is there or on the way to it. */
async function makeNamed(setting: 'root' | 'state', path: string, mode: number): Promise<void> {
  await makeDirectory(path, mode).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST' && error.code !== 'ENOTDIR') throw error;
    throw FleetError.of(
      'SETTINGS',
      `agent.${setting}: ${await inTheWay(path)} is not a directory`,
      `name another directory as agent.${setting} (--${setting}), or move the file away`,
      error,
    );
  });
}

/** The path itself, or what is nearest above it. */
async function inTheWay(path: string): Promise<string> {
  const found = await lstat(path).catch(() => null);
  return found || dirname(path) === path ? path : await inTheWay(dirname(path));
}

/** Made with exactly this mode where it is missing, and missing parents readable; what exists is left as it is. */
async function makeDirectory(path: string, mode: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  await chmod(path, mode);
  // With a umask of 077 a parent of ours would keep other users out of a root that they shall read.
  const top = resolve(first);
  for (let at = dirname(resolve(path)); at.length >= top.length; at = dirname(at)) await chmod(at, 0o755);
}

async function takeOwner(layout: Layout, agentId: string, machine: string, waitMs: number): Promise<FileHandle> {
  const file = ownerFile(layout.root);
  const handle = await takeLock(file, 0o644, 'ROOT_TAKEN', layout.root, waitMs);
  const mine = encodeOwner({ agentId, machine: machineDigest(machine) });
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_OWNER_BYTES), 0, MAX_OWNER_BYTES, 0);
  const present = buffer.toString('utf8', 0, bytesRead);
  if (present === '') await handle.write(mine, 0);
  else if (present !== mine) {
    await handle.close();
    throw FleetError.of(
      'ROOT_TAKEN',
      `${layout.root} belongs to ${ownerIn(present, machineDigest(machine))}`,
      `give this agent a root of its own; if that agent is gone for good, remove ${file}`,
    );
  }
  return handle;
}

const MAX_OWNER_BYTES = 1_024;

function ownerIn(text: string, machine: string): string {
  const owner = parseOwner(text);
  if (!owner) return 'somebody else';
  return `agent ${owner.agentId}${owner.machine === machine ? '' : ' of another machine'}`;
}

async function takeLock(file: string, mode: number, code: Code, what: string, waitMs: number): Promise<FileHandle> {
  const handle = await openOwn(file, mode);
  const locked = await flock(handle.fd, { mode: 'exclusive', waitMs, clock: systemClock });
  if (locked.kind === 'locked') return handle;
  await handle.close();
  if (locked.kind === 'missing') throw FleetError.of('NO_FLOCK', 'the command flock is not on this server');
  if (locked.kind === 'failed') throw FleetError.of('LOCK_FAILED', `${file} could not be locked: ${locked.reason}`);
  const hint = `one agent per directory; see who holds it: fuser -v ${file}`;
  throw FleetError.of(code, `another agent works with ${what}`, hint);
}

/** Made with exactly this mode where it is missing. What is there must be a file of ours, and keeps its mode. */
async function openOwn(file: string, mode: number): Promise<FileHandle> {
  const flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK;
  const made = await open(file, flags | O_CREAT | O_EXCL, mode).catch(nullIf('EEXIST'));
  if (made) {
    await made.chmod(mode);
    return made;
  }
  const there = await open(file, flags).catch(nullIf('ELOOP', 'EISDIR', 'ENXIO'));
  const found = await there?.stat();
  // A second name of the file would be a link by another word.
  if (there && found?.isFile() && found.nlink === 1 && (found.uid === uid() || found.uid === 0)) return there;
  await there?.close();
  throw FleetError.of(
    'OWNER',
    `${file} is not a file of the agent's own; it was not touched`,
    'see who put it there, then remove it',
  );
}

const uid = (): number => process.getuid?.() ?? 0;

/** Who took a root: an agent, on a machine whose name is only kept as a digest. */
interface Owner {
  readonly agentId: string;
  readonly machine: string;
}

export const ownerFile = (root: string): string => join(root, '.gitfleet', 'owner');

/** Who took this root; null: it is free; `unknown`: somebody, in a file that is not as we write it. */
export async function readOwner(root: string): Promise<Owner | 'unknown' | null> {
  const text = (await readIfThere(ownerFile(root), MAX_OWNER_BYTES).catch(() => null)) ?? '';
  return text === '' ? null : (parseOwner(text) ?? 'unknown');
}

export const encodeOwner = ({ agentId, machine }: Owner): string => `${agentId} ${machine}\n`;

/** Null for text that is not as we write it: it may be anything, so none of it is repeated. */
export function parseOwner(text: string): Owner | null {
  const [, agentId, machine] = /^([A-Za-z0-9._-]{1,100}) ([0-9a-f]{16})\n$/.exec(text) ?? [];
  return agentId === undefined || machine === undefined ? null : { agentId, machine };
}

/** The agent that took this root, whatever name the command line or the settings have; else `named`. */
export async function ownerOr(named: string, root: string): Promise<string> {
  const owner = await readOwner(root);
  return owner === null || owner === 'unknown' ? named : owner.agentId;
}
