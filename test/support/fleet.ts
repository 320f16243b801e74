import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type * as z from 'zod';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { systemClock } from '../../runtime/clock.ts';
import { parseReport, type Report } from '../../schemas/report.ts';
import type { settings } from '../../schemas/settings/settings.ts';
import { targetVersionOf } from '../../schemas/target.ts';
import { znodes } from '../../schemas/znodes.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import type { Session } from '../../zookeeper/session.ts';
import { cleanEnvironment, git, gitfleet, MAIN, type Ran } from './commands.ts';
import { silentLog } from './log.ts';
import { until } from './until.ts';

type Whole = z.input<ReturnType<typeof settings>>;

/** What a settings file of a test may contain: the compiler finds a name that the settings do not know. */
export type GivenSettings = { [Part in keyof Whole]?: Partial<Whole[Part]> };

/** A real agent process of the built command line, with its own directories. */
export interface TestAgent {
  readonly id: string;
  readonly root: string;
  readonly state: string;
  readonly process: ChildProcess;
  /** Its whole log so far, from this process and earlier ones with the same directories. */
  log(): Promise<string>;
  kill(signal: NodeJS.Signals): Promise<void>;
  restart(): Promise<void>;
}

/** A bare repository and a clone of it to commit in. */
export interface Origin {
  readonly bare: string;
  readonly url: string;
  readonly clone: string;
  /** Writes the files, commits, pushes to main; resolves to the commit id. */
  commit(message: string, files: Record<string, string>): Promise<string>;
}

export class TestFleet {
  readonly directory: string;
  readonly zookeeper: string;
  readonly app: string;
  readonly session: Session;
  readonly agents: TestAgent[] = [];

  private constructor(directory: string, zookeeper: string, app: string) {
    this.directory = directory;
    this.zookeeper = zookeeper;
    this.app = app;
    this.session = openSession({
      connect: zookeeper,
      defaultAcl: 'open',
      clock: systemClock,
      random: Math.random,
      log: silentLog,
    });
  }

  /** A separate app on a running ZooKeeper, so that the tests of one file share only the server. */
  static async create(zookeeper: string, app = someApp(), options = { open: true }): Promise<TestFleet> {
    const directory = await mkdtemp(join(tmpdir(), 'gitfleet-fleet-'));
    const fleet = new TestFleet(directory, zookeeper, app);
    // What `init --open` does, without its process: nearly every test begins with it.
    if (options.open) await initApp(fleet.session, fleet.znodes, openAccess);
    else await fleet.initClosed();
    return fleet;
  }

  private async initClosed(): Promise<void> {
    const made = await this.run('init');
    if (made.exitCode !== 0) throw new Error(`init failed: ${made.stderr}`);
  }

  get znodes() {
    return znodes(this.app);
  }

  /** Runs a gitfleet command against this app. */
  run(...args: string[]): Promise<Ran> {
    return gitfleet([...args, '-z', this.zookeeper, '--app', this.app], { cwd: this.directory });
  }

  /** Runs a command on an agent's server, as its operator would type it, without naming a ZooKeeper. */
  onServer(agent: Pick<TestAgent, 'id' | 'root' | 'state'>, verb: string, ...more: string[]): Promise<Ran> {
    const places = ['--root', agent.root, '--state', agent.state, '--id', agent.id];
    return gitfleet(['agent', verb, ...places, '--app', this.app, ...more]);
  }

  async publish(target: { url: string; commitId: string; path?: string }, ...more: string[]): Promise<Ran> {
    const where = ['--url', target.url, '--relative-path', target.path ?? 'shop'];
    return await this.run('publish', target.commitId, ...where, '--timeout', '60s', ...more);
  }

  async origin(name = 'shop', options: { objectFormat?: 'sha1' | 'sha256' } = {}): Promise<Origin> {
    const bare = join(this.directory, `${name}.git`);
    const clone = join(this.directory, `${name}-clone`);
    const format = `--object-format=${options.objectFormat ?? 'sha1'}`;
    await git(this.directory, 'init', '--quiet', '--bare', format, bare);
    await git(this.directory, 'init', '--quiet', format, clone);
    await git(clone, 'remote', 'add', 'origin', bare);
    return {
      bare,
      url: `file://${bare}`,
      clone,
      async commit(message, files) {
        for (const [path, content] of Object.entries(files)) {
          await mkdir(dirname(join(clone, path)), { recursive: true });
          await writeFile(join(clone, path), content);
        }
        await git(clone, 'add', '--all');
        await git(clone, 'commit', '--quiet', '--allow-empty', '-m', message);
        await git(clone, 'push', '--quiet', 'origin', 'HEAD:main');
        return await git(clone, 'rev-parse', 'HEAD');
      },
    };
  }

  async startAgent(
    id: string,
    options: { args?: string[]; settings?: GivenSettings; zookeeper?: string; home?: string } = {},
  ): Promise<TestAgent> {
    const home = join(this.directory, 'agents', options.home ?? id);
    const [root, state, logFile] = [join(home, 'root'), join(home, 'state'), join(home, 'agent.log')];
    await mkdir(home, { recursive: true });
    const args = [
      'agent',
      'run',
      '--id',
      id,
      '--root',
      root,
      '--state',
      state,
      '--allow-url',
      `file://${this.directory}`,
    ];
    args.push('-z', options.zookeeper ?? this.zookeeper, '--app', this.app, ...(options.args ?? []));
    if (options.settings) {
      const file = join(home, 'gitfleet.yml');
      await writeFile(file, JSON.stringify(options.settings), { mode: 0o600 });
      args.push('--settings', file);
    }
    let child = await launch(args, logFile);
    const agent: TestAgent = {
      id,
      root,
      state,
      get process() {
        return child;
      },
      log: () => readFile(logFile, 'utf8'),
      async kill(signal) {
        await end(child, signal);
      },
      async restart() {
        await end(child, 'SIGTERM');
        child = await launch(args, logFile);
      },
    };
    this.agents.push(agent);
    return agent;
  }

  async startAgents(count: number, options: { args?: string[]; settings?: GivenSettings } = {}): Promise<TestAgent[]> {
    return await Promise.all(Array.from({ length: count }, (_, at) => this.startAgent(`web-${at + 1}`, options)));
  }

  /** Waits until these agents are online. */
  async online(count: number): Promise<void> {
    await until(
      `${count} agents online`,
      async () => (await this.session.children(this.znodes.online))?.length === count,
    );
  }

  async report(id: string): Promise<Report | null> {
    const node = await this.session.get(this.znodes.report(id));
    return node && parseReport(node.data);
  }

  /** Waits for a report about config's current target that satisfies `fits`. */
  async reported(id: string, what: string, fits: (report: Report) => boolean, boundMs?: number): Promise<Report> {
    return await until(
      `${id}: ${what}`,
      async () => {
        const config = await this.session.get(this.znodes.config);
        const report = await this.report(id);
        return config && report?.targetVersion === targetVersionOf(config.stat) && fits(report) ? report : null;
      },
      boundMs,
    );
  }

  /** Sets config like any other ZooKeeper client, whatever it contains. */
  async setConfig(data: string | Buffer): Promise<void> {
    await this.session.set(this.znodes.config, Buffer.from(data), -1);
  }

  async stop(): Promise<void> {
    await Promise.all(this.agents.map((agent) => end(agent.process, 'SIGTERM')));
    await this.session.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

const someApp = (): string => `/app/t${Math.random().toString(36).slice(2, 10)}`;

async function launch(args: string[], logFile: string): Promise<ChildProcess> {
  const { openSync, closeSync } = await import('node:fs');
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: '/',
    env: cleanEnvironment(),
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(force);
}

/**
 * Checks completely what a link shows: HEAD, every file with mode and bytes equal to the commit's tree, and nothing
 * else. Resolves to the commit id; rejects with the difference.
 */
export async function shownCommit(root: string, path: string): Promise<string> {
  const link = join(root, path);
  const head = await git(link, 'rev-parse', 'HEAD');
  const release = await readlink(link);
  if (!release.endsWith(head)) throw new Error(`${link} leads to ${release}, HEAD is ${head}`);
  const listed = await git(link, 'ls-tree', '-r', '-z', 'HEAD');
  const entries = listed.split('\0').filter(Boolean);
  for (const entry of entries) {
    const [, mode, id, name] = /^(\d+) blob ([0-9a-f]+)\t(.*)$/s.exec(entry) ?? [];
    const isLink = mode === '120000';
    const args = isLink ? ['hash-object', '--stdin'] : ['hash-object', '--no-filters', '--', name as string];
    const found = isLink ? await hashOfLink(join(link, name as string), link) : await git(link, ...args);
    if (found !== id) throw new Error(`${name} is ${found}, the commit has ${id}`);
  }
  const names = (await readdir(link, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory() && entry.name !== '.git')
    .map((entry) => join(entry.parentPath, entry.name).slice(link.length + 1));
  const wanted = entries.map((entry) => entry.slice(entry.indexOf('\t') + 1));
  const strangers = names.filter((name) => !wanted.includes(name));
  if (strangers.length > 0) throw new Error(`strangers in ${link}: ${strangers.join(', ')}`);
  return head;
}

async function hashOfLink(path: string, cwd: string): Promise<string> {
  const { execFileSync } = await import('node:child_process');
  return execFileSync('git', ['hash-object', '--stdin'], { cwd, input: await readlink(path) })
    .toString()
    .trim();
}
