import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { access, lstat, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ownerFile, readOwner } from '../../agent/disk/instance-lock.ts';
import { type Layout, layoutOf } from '../../agent/disk/layout.ts';
import { readLocalStatus } from '../../agent/local/local-status.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { type Finding, failed, fromError, ok, warning } from './finding.ts';

const GIB = 2 ** 30;

/** Root and state directory: owner, modes, free space, and whether another agent uses them. */
export async function checkGround(settings: Settings & { agent: { root: string } }, clock: Clock): Promise<Finding[]> {
  const { agent, app } = settings;
  const layout = layoutOf(agent.root, agent.state, app);
  const state = await checkDirectory('state', layout.state, 0o077);
  const root = await checkDirectory('root', layout.root, 0o002);
  return [
    state,
    root,
    ...(await checkAgent(layout, agent.id, clock)),
    ...(await checkDisks([layout.root, layout.state])),
  ];
}

async function checkDirectory(name: 'root' | 'state', path: string, closed: number): Promise<Finding> {
  let found: Stats;
  try {
    const entry = await lstat(path);
    found = name === 'root' && entry.isSymbolicLink() ? await stat(path) : entry;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return ok(name, `${path} does not exist yet; the agent makes it`);
    return failed(name, `${path} cannot be looked at: ${message}`, 'run doctor as the user of the agent, or as root');
  }
  if (!found.isDirectory()) return failed(name, `${path} is not a directory`, `name a directory as agent.${name}`);
  const mode = (found.mode & 0o7777).toString(8).padStart(4, '0');
  const sticky = (found.mode & 0o1000) !== 0;
  if ((found.mode & closed) !== 0 && !(name === 'root' && sticky)) {
    const who = name === 'state' ? 'others may look into it' : 'everyone may write there';
    return failed(name, `${path} has mode ${mode}: ${who}`, `chmod ${name === 'state' ? '700' : 'o-w'} ${path}`);
  }
  const me = process.geteuid?.() ?? found.uid;
  const writes =
    name === 'state'
      ? found.uid === me
      : await access(path, constants.W_OK).then(
          () => true,
          () => false,
        );
  if (!writes) {
    const says = `${path} belongs to the user with uid ${found.uid}; checked as uid ${me}, which may not use it`;
    return failed(
      name,
      says,
      `run doctor as the user of the agent, or as root; if it is the agent's: chown ${me} ${path}`,
    );
  }
  return ok(name, `${path}, mode ${mode}, user ${found.uid}`);
}

async function checkAgent(layout: Layout, agentId: string, clock: Clock): Promise<Finding[]> {
  try {
    const { running } = await readLocalStatus(layout, clock);
    return [await checkOwner(layout, agentId, running), checkRunning(running)];
  } catch (error) {
    return [await checkOwner(layout, agentId, null), fromError('agent', error)];
  }
}

/** The agent refuses a root that another one owns; this shows it before the agent starts. */
async function checkOwner(layout: Layout, agentId: string, running: boolean | null): Promise<Finding> {
  const owner = await readOwner(layout.root);
  if (owner === null) return ok('owner', 'no agent has taken this root yet');
  if (owner !== 'unknown' && owner.agentId === agentId) return ok('owner', `the root belongs to ${agentId}`);
  const whose = owner === 'unknown' ? 'another user' : `agent ${owner.agentId}`;
  // The agent may have been given a name that doctor does not know; then this one is only the host's.
  const same =
    owner === 'unknown' ? [] : [`if that is the agent of this server, look again with --id ${owner.agentId}`];
  const gone = running ? [] : [`if that agent is gone for good, remove ${ownerFile(layout.root)}`];
  const hint = [...same, `${same.length === 0 ? '' : 'else '}give this agent a root of its own`, ...gone].join('; ');
  return failed('owner', `the root belongs to ${whose}, we are ${agentId}`, hint);
}

function checkRunning(running: boolean | null): Finding {
  if (running === null)
    return warning('agent', 'unknown whether it runs: flock is not installed', 'install util-linux');
  if (running) return ok('agent', 'it runs');
  return warning('agent', 'it does not run', 'systemctl start gitfleet-agent, or: gitfleet agent run');
}

/** Checks each file system once. */
async function checkDisks(paths: readonly string[]): Promise<Finding[]> {
  const devices = new Map<number, string>();
  for (const path of paths) {
    const [at, device] = await nearest(path);
    if (!devices.has(device)) devices.set(device, at);
  }
  return await Promise.all([...devices.values()].map(checkSpace));
}

/** The directory, or its nearest existing parent, with its device. */
async function nearest(path: string): Promise<[string, number]> {
  const found = await stat(path).catch(() => null);
  return found || path === '/' ? [path, found?.dev ?? 0] : await nearest(dirname(path));
}

async function checkSpace(path: string): Promise<Finding> {
  const found = await statfs(path);
  const free = found.bavail * found.bsize;
  const inodes = found.files === 0 ? 1 : found.ffree / found.files;
  const says = `${path}: ${(free / GIB).toFixed(1)} GiB free, ${Math.round(inodes * 100)} % of the inodes`;
  const hint = 'a release needs room for a second tree; agent.keepReleases says how many are kept';
  if (free < GIB / 10 || inodes < 0.01) return failed('disk', says, hint);
  return free < GIB || inodes < 0.05 ? warning('disk', says, hint) : ok('disk', says);
}
