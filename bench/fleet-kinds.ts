import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, readlinkSync, watch, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { BARE_NODE_AGENT, BARE_PUBLISHER, NAIVE_AGENT, NAIVE_PUBLISHER } from './fleet-naive.ts';
import type { ServedOrigin } from './fleet-origins.ts';
import { runMeasured } from './measured.ts';

/** One of the fleets that `bench:fleet` compares: as many agent processes as asked for, and how one publishes to them. */
export interface Fleet {
  readonly name: string;
  readonly pids: readonly number[];
  /** The znode that the publisher sets. */
  readonly config: string;
  /** Resolves when every agent is at the commit. */
  arrived(commitId: string): Promise<void>;
  publish(commitId: string): Promise<unknown>;
  stop(): Promise<void>;
}

/** Where a fleet runs, and what it deploys. */
export interface Surroundings {
  readonly count: number;
  readonly connect: string;
  readonly directory: string;
  /** The origin's own directory. */
  readonly repository: string;
  readonly origin: ServedOrigin;
  /** Whether our publisher asks the origin for the commit, as by default. */
  readonly check: boolean;
  /** Whether our agents take the objects of a change from ZooKeeper, in an app with access lists and signed targets. */
  readonly bundle: boolean;
}

const CLIENT = join(process.cwd(), 'node_modules/node-zookeeper-client');

export async function naive({ count, connect, directory, origin }: Surroundings): Promise<Fleet> {
  const agents = Array.from({ length: count }, (_, at) =>
    spawn('/usr/bin/python3', ['-c', NAIVE_AGENT, connect, '/naive', origin.url, join(directory, `naive-${at}`)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...origin.env },
    }),
  );
  const publish = (commitId: string) => ['/usr/bin/python3', '-c', NAIVE_PUBLISHER, connect, '/naive', commitId];
  return talking('naive: kazoo + git pull', '/naive', agents, directory, publish);
}

export async function bareNode({ count, connect, directory, origin }: Surroundings): Promise<Fleet> {
  const script = join(directory, 'bare-agent.cjs');
  writeFileSync(script, BARE_NODE_AGENT);
  const agents = Array.from({ length: count }, (_, at) =>
    spawn(process.execPath, [script, connect, '/bare', origin.url, join(directory, `bare-${at}`), CLIENT], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...origin.env },
    }),
  );
  const publisher = join(directory, 'publish.cjs');
  writeFileSync(publisher, BARE_PUBLISHER);
  const publish = (commitId: string) => [process.execPath, publisher, connect, '/bare', commitId, CLIENT];
  return talking('bare: Node + git fetch', '/bare', agents, directory, publish);
}

/** Agents that print `ready`, and each commit that they are at. */
async function talking(
  name: string,
  config: string,
  agents: readonly ChildProcessByStdio<null, Readable, null>[],
  directory: string,
  publish: (commitId: string) => readonly string[],
): Promise<Fleet> {
  const shown: string[] = [];
  let check = () => {};
  for (const [at, agent] of agents.entries()) {
    createInterface(agent.stdout).on('line', (line) => {
      shown[at] = line;
      check();
    });
  }
  const all = (commitId: string) =>
    new Promise<void>((resolve) => {
      check = () => {
        if (agents.every((_, at) => shown[at] === commitId)) resolve();
      };
      check();
    });
  await all('ready');
  return {
    name,
    config,
    pids: agents.map((agent) => agent.pid as number),
    arrived: all,
    publish(commitId) {
      const [program = '', ...args] = publish(commitId);
      return runMeasured(program, args, directory);
    },
    stop: () => end(agents),
  };
}

/** @param main the command line of this build, or of another one to compare with. @param name of the app, too. */
export async function ours(
  { count, connect, directory, repository, origin, check, bundle }: Surroundings,
  main: string,
  name: string,
): Promise<Fleet> {
  const app = `/app/${name.replaceAll(' ', '-')}`;
  const here = ['-z', connect, '--app', app];
  const run = (...args: string[]) => runMeasured(process.execPath, [main, ...args, ...here], directory, origin.env);
  const signed = bundle ? await signedParts(directory) : null;
  await run('init', ...(signed ? ['--credentials', signed.credentials] : ['--open']));
  const roots = Array.from({ length: count }, (_, at) => join(directory, `${name}-${at}`, 'root'));
  const allowed = origin.url.startsWith('file:') ? 'file:///' : origin.url;
  const settings = join(directory, 'agent.yml');
  const credentials = origin.credential === null ? [] : [origin.credential];
  writeFileSync(settings, JSON.stringify({ ...signed?.settings, agent: { credentials, ...signed?.agent } }), {
    mode: 0o600,
  });
  const children = roots.map((root, at) => {
    mkdirSync(root, { recursive: true });
    const log = openSync(join(root, '..', 'agent.log'), 'a');
    const own = ['--id', `web-${at}`, '--root', root, '--state', join(root, '..', 'state'), '--settings', settings];
    return spawn(process.execPath, [main, 'agent', 'run', ...own, '--allow-url', allowed, ...here], {
      stdio: ['ignore', log, log],
    });
  });
  let look = () => {};
  const watchers = roots.map((root) => watch(root, () => look()));
  const target = ['--url', origin.url, '--relative-path', 'shop', '--detach', ...(check ? [] : ['--no-check'])];
  return {
    name,
    config: `${app}/config`,
    pids: children.map((child) => child.pid as number),
    arrived(commitId) {
      const missing = new Set(roots);
      return new Promise<void>((resolve) => {
        look = () => {
          for (const root of missing) if (shown(root) === commitId) missing.delete(root);
          if (missing.size === 0) resolve();
        };
        look();
      });
    },
    // From the repository: it has the objects.
    publish: (commitId) => {
      const args = [main, 'publish', commitId, ...target, ...(signed?.publisher ?? []), ...here];
      return runMeasured(process.execPath, args, signed ? repository : directory, origin.env);
    },
    async stop() {
      for (const watcher of watchers) watcher.close();
      await end(children);
    },
  };
}

/** A key, the list that has it, and what agents and publisher need to use bundles. Root owns the list. */
async function signedParts(directory: string) {
  const [credentials, key, signersFile] = ['credentials', 'key', 'signers'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await runMeasured('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key], directory);
  const [kind, text] = readFileSync(`${key}.pub`, 'utf8').split(' ');
  writeFileSync(signersFile, `bench namespaces="gitfleet@v1" ${kind} ${text}\n`, { mode: 0o644 });
  const auth = (role: string) => join(credentials, `${role}.auth`);
  return {
    credentials,
    settings: { zookeeper: { authFile: auth('agent') }, coordinator: { authFile: auth('coordinator') } },
    agent: { objects: 'signed', verify: { target: 'required', audience: 'bench', signersFile } },
    publisher: ['--auth-file', auth('publisher'), '--sign-key', key, '--audience', 'bench'].concat([
      '--bundle',
      '--bundle-in-clear',
    ]),
  };
}

function shown(root: string): string | null {
  try {
    return basename(readlinkSync(join(root, 'shop')));
  } catch {
    return null;
  }
}

async function end(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }),
  );
}
