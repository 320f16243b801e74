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

/** Exclusive use of an agent's directories. */
export interface InstanceLock {
  /** The descriptor that holds the lock on the state directory. Git children inherit it. */
  readonly lockFd: number;
  /** New for each process. */
  readonly instanceId: string;
  /**
   * The same for one state directory on one boot of one machine. If it is the same and the lock is ours, the
   * predecessor is dead.
   */
  readonly machineId: string;
  /**
   * Creates our directory of releases again if it was removed. A lock or the app's state directory cannot be made again
   * under a running agent: if one was removed or replaced, the agent ends.
   * @throws FleetError LOCK_LOST, OWNER.
   */
  renew(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes the state directory and the root for this agent, or refuses. Both locks are flock(2) on an open descriptor:
 * kill -9 frees them, but a git child that outlives its agent keeps the lock of the state. Directories get the modes of
 * docs/design.md section 4, whatever the umask. Children of a dead predecessor are ended first.
 * @param waitMs how long to wait for a predecessor that is just ending.
 * @param machineIdFile only tests name another file.
 * @throws FleetError STATE_TAKEN, ROOT_TAKEN, NO_FLOCK, LOCK_FAILED; SYMLINK, NOT_DIR, OWNER if the root is not ours;
 * SETTINGS if root or state cannot be a directory.
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
    // From the root down, each directory before anything below it is opened or created: we may run as root, and these
    // may be other users' links.
    await makeNamed('root', layout.root, 0o755);
    checkOwner(layout.root, await statOfRoot(layout.root, uid()), uid());
    const below = join(layout.root, '.gitfleet');
    await makeDirectory(below, 0o755).catch(nullIf('EEXIST')); // An existing one is judged in the next line.
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

/** Other users who can write there could forge the agent's journal, its overrides and its identity. */
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

/** Creates a directory that the settings name, unless something other than a directory is there or on the way to it. */
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

/** The path itself, or its nearest existing parent. */
async function inTheWay(path: string): Promise<string> {
  const found = await lstat(path).catch(() => null);
  return found || dirname(path) === path ? path : await inTheWay(dirname(path));
}

/**
 * Creates a missing directory with exactly this mode, and missing parents readable. An existing one is left as it is.
 */
async function makeDirectory(path: string, mode: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  await chmod(path, mode);
  // With a umask of 077, a parent that we create would keep other users out of a root that they must be able to read.
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

/** Creates a missing file with exactly this mode. An existing one must be a file of ours, and keeps its mode. */
async function openOwn(file: string, mode: number): Promise<FileHandle> {
  const flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK;
  const made = await open(file, flags | O_CREAT | O_EXCL, mode).catch(nullIf('EEXIST'));
  if (made) {
    await made.chmod(mode);
    return made;
  }
  const there = await open(file, flags).catch(nullIf('ELOOP', 'EISDIR', 'ENXIO'));
  const found = await there?.stat();
  // A hard link to another file would be as harmful as a symbolic one.
  if (there && found?.isFile() && found.nlink === 1 && (found.uid === uid() || found.uid === 0)) return there;
  await there?.close();
  throw FleetError.of(
    'OWNER',
    `${file} is not a file of the agent's own; it was not touched`,
    'see who put it there, then remove it',
  );
}

const uid = (): number => process.getuid?.() ?? 0;

/** The agent that took a root, and its machine, whose name is kept only as a digest. */
interface Owner {
  readonly agentId: string;
  readonly machine: string;
}

export const ownerFile = (root: string): string => join(root, '.gitfleet', 'owner');

/** The owner of this root. Null: it is free. `unknown`: the file is not in our format. */
export async function readOwner(root: string): Promise<Owner | 'unknown' | null> {
  const text = (await readIfThere(ownerFile(root), MAX_OWNER_BYTES).catch(() => null)) ?? '';
  return text === '' ? null : (parseOwner(text) ?? 'unknown');
}

export const encodeOwner = ({ agentId, machine }: Owner): string => `${agentId} ${machine}\n`;

/** Null for text that is not in our format: it may be anything, so none of it is repeated. */
export function parseOwner(text: string): Owner | null {
  const [, agentId, machine] = /^([A-Za-z0-9._-]{1,100}) ([0-9a-f]{16})\n$/.exec(text) ?? [];
  return agentId === undefined || machine === undefined ? null : { agentId, machine };
}

/** The agent that owns this root, whatever the command line or the settings name; `named` if none is known. */
export async function ownerOr(named: string, root: string): Promise<string> {
  const owner = await readOwner(root);
  return owner === null || owner === 'unknown' ? named : owner.agentId;
}
