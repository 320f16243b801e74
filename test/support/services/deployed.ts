import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment, gitfleet, MAIN, type Ran } from '../commands.ts';
import { type Origin, TestFleet } from '../fleet.ts';
import { until } from '../until.ts';
import { Farm } from './web.ts';

const RESTART = join(import.meta.dirname, 'restart.mjs');

/** The settings of an agent of such a fleet, besides its service. */
interface Given {
  readonly agents: number;
  readonly drain?: { readonly atLeast?: string; readonly atMost?: string; readonly command?: string[] };
  readonly health?: boolean;
  /** Of the agents' names; two fleets of one service need two. Default `web`. */
  readonly prefix?: string;
  readonly args?: string[];
}

/**
 * A fleet of real agents, each with one instance of a small http service, `shop/web`, which the activate step restarts,
 * and the writers of its list. No setting contains a sleep: `atLeast` is 0.
 */
export class DeployedService {
  readonly fleet: TestFleet;
  readonly farm = new Farm();
  readonly names: readonly string[];
  readonly #writers: { child: ChildProcess; logFile: string }[] = [];
  #origin: Origin | null = null;

  private constructor(fleet: TestFleet, agents: number, prefix: string) {
    this.fleet = fleet;
    this.names = Array.from({ length: agents }, (_, at) => `${prefix}-${at + 1}`);
  }

  static async start(zookeeper: string, given: Given): Promise<DeployedService> {
    const deployed = new DeployedService(await TestFleet.create(zookeeper), given.agents, given.prefix ?? 'web');
    const { farm, names, fleet } = deployed;
    await farm.start(names);
    await Promise.all(
      names.map((name) => {
        const { host, port } = deployed.instance(name);
        const service = { name: 'shop/web', host, port, drain: { atLeast: '0s', ...given.drain } };
        const activate = { command: [process.execPath, RESTART, String(farm.port), name] };
        const checks = [{ http: `http://${host}:${port}/up` }];
        const health = given.health ? { health: { checks, healthyFor: '100ms', interval: '100ms', start: '1s' } } : {};
        const settings = { agent: { services: [service], activate, ...health } };
        return fleet.startAgent(name, { settings, ...(given.args ? { args: given.args } : {}) });
      }),
    );
    const isOwn = (name: string) => names.some((each) => name.startsWith(`${each}-`));
    await until('all are registered', async () => (await deployed.listed()).filter(isOwn).length === names.length);
    return deployed;
  }

  instance(name: string) {
    const found = this.farm.instances.get(name);
    if (!found) throw new Error(`no instance ${name}`);
    return found;
  }

  async listed(): Promise<string[]> {
    return (await this.fleet.session.children('/service/shop/web')) ?? [];
  }

  /** Runs `gitfleet service VERB shop/web` on the server of one agent. */
  async onServer(name: string, verb: 'leave' | 'join', ...more: string[]): Promise<Ran> {
    const { fleet } = this;
    const agent = fleet.agents.find(({ id }) => id === name);
    const places = ['--root', agent?.root ?? '', '--state', agent?.state ?? '', '--id', name];
    const settings = ['--settings', join(fleet.directory, 'agents', name, 'gitfleet.yml')];
    const where = ['-z', fleet.zookeeper, '--app', fleet.app];
    return await gitfleet(['service', verb, 'shop/web', ...places, ...where, ...settings, ...more]);
  }

  /** How long the drains of all agents took so far, ms. */
  async drains(): Promise<number[]> {
    const logs = await Promise.all(this.fleet.agents.map((agent) => agent.log()));
    const lines = logs.flatMap((log) => log.split('\n').filter((line) => line.includes('"msg":"drained')));
    return lines.map((line) => Number(JSON.parse(line).ms));
  }

  /** Starts `gitfleet service write shop/web` and waits for its first acknowledgement, unless it makes none. */
  async write(args: readonly string[], acknowledges = true): Promise<ChildProcess> {
    const logFile = join(this.fleet.directory, `writer-${this.#writers.length}.log`);
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [MAIN, 'service', 'write', 'shop/web', '-z', this.fleet.zookeeper, ...args], {
      ...{ cwd: '/', env: cleanEnvironment(), stdio: ['ignore', log, log] },
    });
    closeSync(log);
    this.#writers.push({ child, logFile });
    const done = acknowledges
      ? () => this.#acknowledged(this.#writers.length)
      : () => this.writerSaid('applied', logFile);
    await until('the writer has applied the list', done);
    return child;
  }

  writerSaid(text: string, logFile = this.#writers[0]?.logFile ?? ''): Promise<boolean> {
    return Promise.resolve(readFileSync(logFile, 'utf8').includes(text));
  }

  async #acknowledged(count: number): Promise<boolean> {
    const parent = '/service-fleet/shop/web/consumers';
    const ids = (await this.fleet.session.children(parent)) ?? [];
    const nodes = await Promise.all(ids.map((id) => this.fleet.session.get(`${parent}/${id}`)));
    return nodes.filter((node) => node && !node.data.includes('"applied":"0"')).length >= count;
  }

  /** Pushes a commit and publishes it; resolves to its id and the command's output. */
  async deploy(content: string) {
    this.#origin ??= await this.fleet.origin();
    const { url } = this.#origin;
    const commitId = await this.#origin.commit(content, { f: content });
    if (content === 'bad') this.farm.unwell.add(commitId);
    return { commitId, said: await this.fleet.publish({ url, commitId }) };
  }

  /** The commits that the instances serve, without duplicates. */
  served(): string[] {
    return [...new Set([...this.farm.instances.values()].map(({ commit }) => commit))];
  }

  async stop(): Promise<void> {
    for (const { child } of this.#writers) await ended(child);
    await this.fleet.stop();
    await this.farm.stop();
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  await over;
}
