import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { type ServerRole, serverStatus } from '../wire/four-letter.ts';
import { dieWithParent } from './die-with-parent.ts';
import type { Distribution } from './distribution.ts';

/** How each server of a local ensemble runs. */
export interface ServerOptions {
  readonly distribution: Distribution;
  readonly clock: Clock;
  /** ZooKeeper's unit of time, ms. Default 500. Does not limit the session timeouts, which are 1 s to 60 s. */
  readonly tickTime?: number;
  /** false (the default) skips fsync: for trials and tests, where a power loss does not matter. */
  readonly durable?: boolean;
  /** More lines for its zoo.cfg. */
  readonly config?: Readonly<Record<string, string | number>>;
  /** More Java system properties. */
  readonly properties?: Readonly<Record<string, string>>;
  /** How long a start may take, ms. Default 30,000. */
  readonly startTimeoutMs?: number;
}

/** The number, directory and ports of one server of a local ensemble. */
export interface ServerPlace {
  readonly number: number;
  readonly directory: string;
  readonly clientPort: number;
  readonly quorumPort: number;
  readonly electionPort: number;
  /** False: an observer. */
  readonly votes: boolean;
}

/** One real server process. Its ports and data survive `restart`. */
export interface LocalServer {
  readonly port: number;
  readonly directory: string;
  /** Of the running process; undefined while it is down. */
  readonly pid: number | undefined;
  /** Asks it for its current role. */
  role(): Promise<ServerRole>;
  /** Sends a signal; SIGSTOP freezes it, SIGCONT lets it continue, SIGKILL is a crash. */
  kill(signal: NodeJS.Signals): void;
  /** Ends the process, even a frozen one, and waits for its end. The data stay. */
  stop(): Promise<void>;
  /** Starts it and waits until it serves. In an ensemble, that needs a quorum. */
  start(): Promise<void>;
  /** A crash and a new start on the same data. */
  restart(): Promise<void>;
  /** Deletes everything that the server stored, as a lost disk would. Only while it is down. */
  wipe(): Promise<void>;
}

export function prepareServer(
  place: ServerPlace,
  ensemble: readonly ServerPlace[],
  options: ServerOptions,
): LocalServer {
  const { clock } = options;
  const dataDirectory = join(place.directory, 'data');
  const configFile = join(place.directory, 'zoo.cfg');
  const logFile = join(place.directory, 'server.log');
  let child: ChildProcess | undefined;
  let guard: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();

  async function launch(): Promise<void> {
    await mkdir(dataDirectory, { recursive: true });
    await writeFile(configFile, describeServer(place, ensemble, options, dataDirectory));
    await writeFile(join(dataDirectory, 'myid'), `${place.number}\n`);
    const log = await open(logFile, 'w');
    const started = spawn(options.distribution.java, javaArguments(options, configFile), {
      cwd: place.directory,
      env: {},
      detached: true, // We handle a Ctrl-C in the terminal.
      stdio: ['ignore', log.fd, log.fd],
    });
    child = started;
    gone = new Promise((resolve) => {
      started.once('error', () => resolve()).once('exit', () => resolve());
    });
    guard = started.pid === undefined ? undefined : dieWithParent(started.pid);
    void gone.then(() => {
      guard?.kill('SIGKILL'); // First, so that it cannot kill another process with the same pid.
      if (child === started) child = undefined;
    });
    await log.close();
  }

  async function waitUntilItServes(): Promise<void> {
    const started = child;
    const until = clock.monotonic() + (options.startTimeoutMs ?? 30_000);
    while ((await role()) === 'unreachable') {
      const late = clock.monotonic() > until;
      if (child !== started || late) {
        const words = (await readFile(logFile, 'utf8').catch(() => '')).slice(-2_000);
        throw new Error(`ZooKeeper on port ${place.clientPort} ${late ? 'does not serve in time' : 'ended'}: ${words}`);
      }
      await clock.sleep(25);
    }
  }

  async function role(): Promise<ServerRole> {
    if (!child) return 'unreachable';
    const [status] = await serverStatus([{ host: '127.0.0.1', port: place.clientPort }], { timeoutMs: 1_000, clock });
    return status?.role ?? 'unreachable';
  }

  async function stop(): Promise<void> {
    child?.kill('SIGKILL');
    await gone;
    child = undefined;
  }

  async function start(): Promise<void> {
    if (!child) await launch();
    await waitUntilItServes();
  }

  return {
    port: place.clientPort,
    directory: place.directory,
    get pid() {
      return child?.pid;
    },
    role,
    kill: (signal) => {
      child?.kill(signal);
    },
    stop,
    start,
    async restart() {
      await stop();
      await start();
    },
    async wipe() {
      if (child) throw new Error('stop the server before wiping its data');
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

function describeServer(
  place: ServerPlace,
  ensemble: readonly ServerPlace[],
  options: ServerOptions,
  dataDirectory: string,
): string {
  const settings: Record<string, string | number> = {
    tickTime: options.tickTime ?? 500,
    dataDir: dataDirectory,
    clientPort: place.clientPort,
    clientPortAddress: '127.0.0.1',
    clientPortListenBacklog: 1024,
    maxClientCnxns: 0,
    minSessionTimeout: 1_000,
    maxSessionTimeout: 60_000,
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': 'ruok,srvr,mntr,cons,wchs,wchp,dump,crst,srst',
    ...(ensemble.length > 1 ? { initLimit: 10, syncLimit: 5 } : {}),
    ...(place.votes ? {} : { peerType: 'observer' }),
    ...options.config,
  };
  const members = ensemble.map(
    ({ number, quorumPort, electionPort, votes }) =>
      `server.${number}=127.0.0.1:${quorumPort}:${electionPort}${votes ? '' : ':observer'}`,
  );
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return `${[...lines, ...(ensemble.length > 1 ? members : [])].join('\n')}\n`;
}

function javaArguments(options: ServerOptions, configFile: string): string[] {
  const properties: Record<string, string> = {
    'java.awt.headless': 'true',
    'zookeeper.jmx.log4j.disable': 'true',
    'zookeeper.forceSync': options.durable ? 'yes' : 'no',
    'org.slf4j.simpleLogger.defaultLogLevel': 'warn',
    ...options.properties,
  };
  return [
    '-Xms32m',
    '-Xmx256m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:-UsePerfData',
    ...Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
    '-cp',
    options.distribution.classPath,
    'org.apache.zookeeper.server.quorum.QuorumPeerMain',
    configFile,
  ];
}
