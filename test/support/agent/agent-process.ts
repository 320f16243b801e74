import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CommitId } from '../../../schemas/values.ts';
import { cleanEnvironment } from '../commands.ts';
import type { GivenSettings, TestFleet } from '../fleet.ts';
import { BUNDLED_ENTRY } from './bundle-entry.ts';

/** What one agent keeps across its processes: directories, settings, and the log of all of them. */
export interface AgentHome {
  readonly id: string;
  readonly directory: string;
  readonly root: string;
  readonly state: string;
  /** `<root>/.gitfleet/<app>` and `<state>/apps/<app>`. */
  readonly app: string;
  readonly appState: string;
  readonly args: readonly string[];
  readonly logFile: string;
}

export function agentHome(
  fleet: TestFleet,
  id: string,
  agentSettings: GivenSettings['agent'] = {},
  options: { home?: string; directory?: string } = {},
): AgentHome {
  const home = join(fleet.directory, 'agents', options.home ?? id);
  const directory = options.directory ?? home;
  mkdirSync(home, { recursive: true });
  const [root, state] = [join(directory, 'root'), join(directory, 'state')];
  const file = join(home, 'gitfleet.yml');
  const settings = {
    zookeeper: { connect: fleet.zookeeper },
    app: fleet.app,
    agent: { id, root, state, allowUrls: [`file://${fleet.directory}`], ...agentSettings },
  };
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
  const name = fleet.app.slice(1).replaceAll('/', '+');
  return {
    id,
    directory,
    root,
    state,
    app: join(root, '.gitfleet', name),
    appState: join(state, 'apps', name),
    args: ['agent', 'run', '--settings', file],
    logFile: join(home, 'agent.log'),
  };
}

/** One process of an agent: of the built command line, or of an entry that can set its failpoints (agent-entry.mjs). */
export interface Life {
  readonly pid: number;
  /** The signal that ended it, or its exit code. */
  readonly ended: Promise<NodeJS.Signals | number>;
  readonly over: NodeJS.Signals | number | null;
  kill(signal: NodeJS.Signals): Promise<NodeJS.Signals | number>;
}

export function startLife(
  home: AgentHome,
  environment: Record<string, string> = {},
  entry: string = BUNDLED_ENTRY,
): Life {
  const log = openSync(home.logFile, 'a');
  const child: ChildProcess = spawn(process.execPath, [entry, ...home.args], {
    cwd: '/',
    env: cleanEnvironment(environment),
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let over: NodeJS.Signals | number | null = null;
  const ended = new Promise<NodeJS.Signals | number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      over = signal ?? code ?? -1;
      resolve(over);
    });
  });
  return {
    pid: child.pid ?? -1,
    ended,
    get over() {
      return over;
    },
    async kill(signal) {
      if (over === null) child.kill(signal);
      return await ended;
    },
  };
}

/** What the link shows; null if there is none. */
export function shown(home: Pick<AgentHome, 'root'>, path: string): CommitId | null {
  try {
    return basename(readlinkSync(join(home.root, path))) as CommitId;
  } catch {
    return null;
  }
}

/** Whether the commit is shown and its deployment has ended, according to the agent's own disk. */
export function settledOn(home: AgentHome, path: string, commitId: string): boolean {
  if (shown(home, path) !== commitId) return false;
  const { progress } = JSON.parse(readFileSync(join(home.appState, 'journal.json'), 'utf8'));
  return progress?.commitId === commitId && progress.activation === 'done' && progress.relativePath === path;
}

/** The commit that the spare of this agent is proved to be. */
export function spareOf(home: AgentHome): CommitId | null {
  try {
    const admin = readFileSync(join(home.app, 'spare', '.git'), 'utf8')
      .trim()
      .slice('gitdir: '.length);
    return (readFileSync(join(admin, 'gitfleet-proved'), 'utf8').split(' ')[0] ?? null) as CommitId | null;
  } catch {
    return null;
  }
}
