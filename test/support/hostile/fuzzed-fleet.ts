import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { expect } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { type AgentHome, agentHome, type Life, shown, startLife } from '../agent/agent-process.ts';
import { gitfleet, MAIN, type Ran } from '../commands.ts';
import { TestFleet } from '../fleet.ts';
import { type HttpsOrigin, startHttpsOrigin } from '../git/https-origin.ts';
import { createOrigin, type GitOrigin } from '../git/origin.ts';
import { freePort } from '../git/sshd.ts';
import { commitTree, meant, type Node, onDisk } from '../model-tree.ts';
import type { Seeded } from '../seeded.ts';
import { type Started, start } from '../started.ts';
import { until } from '../until.ts';
import type { Facts } from './seeds.ts';
import type { Json } from './values.ts';

export interface FuzzedAgent {
  readonly home: AgentHome;
  readonly port: number;
  life: Life;
}

const HANGS_MS = 15_000;
/** Except for the line break, none of these may reach a screen, a log or JSON. The joiner may, between two emoji. */
const PAINTS = /(?![\n\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/**
 * Two agents and two watching publishers with one origin that records the requests, and everything that must stay true
 * of them whatever they are told.
 */
export class FuzzedFleet {
  readonly agents: FuzzedAgent[] = [];
  readonly outside: string;
  lastDeployment = 1;
  private readonly watchers: Started[] = [];
  private readonly trees = new Map<string, ReadonlyMap<string, Node>>();
  private readonly older: string[] = [];
  private worstMs = 0;
  private screens = 0;
  private seenOutside = '';

  private readonly fleet: TestFleet;
  private readonly server: HttpsOrigin;
  private readonly good: GitOrigin;
  private readonly evil: { url: string; commitId: string };

  private constructor(fleet: TestFleet, server: HttpsOrigin, good: GitOrigin, evil: { url: string; commitId: string }) {
    [this.fleet, this.server, this.good, this.evil] = [fleet, server, good, evil];
    this.outside = join(fleet.directory, 'outside');
  }

  static async start(connect: string): Promise<FuzzedFleet> {
    const fleet = await TestFleet.create(connect);
    const git = join(fleet.directory, 'git');
    const good = createOrigin(join(git, 'good/shop.git'));
    const bad = createOrigin(join(git, 'evil/shop.git'));
    const commitId = bad.commit({ evil: 'evil' });
    const server = await startHttpsOrigin(git);
    const made = new FuzzedFleet(fleet, server, good, { url: server.url('evil/shop.git'), commitId });
    await made.begin();
    return made;
  }

  get session(): Session {
    return this.fleet.session;
  }
  get znodes() {
    return this.fleet.znodes;
  }
  private get url(): string {
    return this.server.url('good/shop.git');
  }

  private async begin(): Promise<void> {
    mkdirSync(this.outside);
    writeFileSync(join(this.outside, 'file'), 'stays');
    await Promise.all(['web-1', 'web-2'].map((id) => this.startAgent(id)));
    await this.fleet.online(2);
    const first = this.commitTree(new Map([['index', aFile('first')]]));
    const ran = await this.publish(first);
    if (ran.exitCode !== 0) throw new Error(`the first deployment: ${ran.stdout}${ran.stderr}`);
    const asked = ['-z', this.fleet.zookeeper, '--app', this.fleet.app, '--watch'];
    for (const more of [[], ['--json']]) this.watchers.push(await start(['status', ...asked, ...more]));
    this.seenOutside = this.lookOutside();
  }

  private async startAgent(id: string): Promise<void> {
    const port = await freePort();
    const noted = join(this.fleet.directory, 'agents', id, 'steps.log');
    const note = `printf '%s\\n' "$GITFLEET_COMMIT $PWD $GITFLEET_LINK" >> ${noted}`;
    const home = agentHome(this.fleet, id, {
      allowUrls: [this.server.url('good/')],
      allowRepositorySteps: true,
      activate: { command: ['sh', '-c', note], timeout: '10s' },
      keepReleases: 2,
      keepFailedReleases: 1,
      releaseGrace: '1s',
      resyncInterval: '2s',
      verifyInterval: '5s',
      listen: `127.0.0.1:${port}`,
      labels: { zone: id, role: id === 'web-1' ? 'canary' : 'web' },
    });
    this.agents.push({ home, port, life: startLife(home, {}, MAIN) });
  }

  facts(targetVersion: string): Facts {
    const commitId = this.older.at(-1) as string;
    return {
      targetVersion,
      deployment: this.lastDeployment,
      good: { url: this.url, commitId, relativePath: 'shop' },
      older: this.older.at(-2) ?? commitId,
      evil: this.evil,
      outside: this.outside,
      at: Date.now(),
    };
  }

  commit(random: Seeded, files: Record<string, string>): string {
    const tree = new Map<string, Node>([['index', aFile(`${random.next()}`)]]);
    for (const [path, content] of Object.entries(files)) tree.set(path, aFile(content));
    return this.commitTree(tree);
  }

  private commitTree(tree: ReadonlyMap<string, Node>): string {
    const commitId = commitTree(this.good, tree);
    this.trees.set(commitId, tree);
    return commitId;
  }

  async target(commitId: string): Promise<void> {
    this.older.push(commitId);
    await this.fleet.setConfig(JSON.stringify({ url: this.url, commitId, relativePath: 'shop' }));
  }

  async publish(commitId: string): Promise<Ran> {
    this.older.push(commitId);
    const where = ['--url', this.url, '--relative-path', 'shop', '--timeout', '60s'];
    const ran = await bounded(['publish'], this.fleet.run('publish', commitId, ...where));
    this.checkWords(['publish'], ran);
    this.lastDeployment = Number((await this.session.get(this.znodes.deployments))?.data.toString() ?? '0');
    return ran;
  }

  /** Sets whatever is there; if there is no node, creates it with a session of the test. */
  async set(path: string, data: Buffer): Promise<void> {
    const mode = path.includes('/online/') || path.includes('/fetch/') ? 'ephemeral' : 'persistent';
    for (const act of [
      () => this.session.set(path, data, -1),
      () => this.session.create(path, data, mode),
      () => this.session.set(path, data, -1),
    ]) {
      if (await act().then(() => true, ignorable)) return;
    }
  }

  /** What an operator does who finds nonsense in the znodes. */
  async putRight(): Promise<void> {
    const { session, znodes } = this;
    const policy = { canary: 1, maxParallel: 1, onFailure: 'pause' };
    await this.set(znodes.policy, Buffer.from(JSON.stringify(policy)));
    for (const path of [znodes.rollout, znodes.quarantine, znodes.hold]) await this.set(path, Buffer.alloc(0));
    for (const parent of ['online', 'agents', 'permits', 'fetch', 'election', 'deployments'] as const) {
      for (const name of (await session.children(znodes[parent])) ?? []) {
        const keeps = /^web-[12]$/.test(name) && !(await this.isMine(`${znodes[parent]}/${name}`));
        if (keeps || isOurs(parent, name, this.lastDeployment)) continue;
        await session.remove(`${znodes[parent]}/${name}`, -1).catch(ignorable);
      }
    }
    for (const { home } of this.agents) await session.remove(znodes.permit(home.id), -1).catch(ignorable);
    for (const n of await this.numbers()) this.lastDeployment = Math.max(this.lastDeployment, n);
    await this.set(znodes.deployments, Buffer.from(`${this.lastDeployment}`));
  }

  /** Whether `set` made it while the agent's own node was away: until it is gone the agent stays out of its name. */
  private async isMine(path: string): Promise<boolean> {
    const { sessionId } = await this.session.connected();
    return (await this.session.exists(path))?.ephemeralOwner === sessionId;
  }

  private async numbers(): Promise<number[]> {
    const names = (await this.session.children(this.znodes.deployments)) ?? [];
    return names.map((name) => Number(name.slice(2)));
  }

  /** Between two values: both run, answer, and show a whole known commit. */
  async checkLiving(): Promise<void> {
    for (const { home, life, port } of this.agents) {
      if (life.over !== null) throw new Error(`${home.id} ended with ${life.over}`);
      const began = performance.now();
      expect(await healthOf(port)).toBe(200);
      this.worstMs = Math.max(this.worstMs, performance.now() - began);
      expect(this.trees.has(shown(home, 'shop') ?? 'nothing')).toBe(true);
      expect(readdirSync(home.root).sort()).toEqual(['.gitfleet', 'shop']);
    }
  }

  /** Commands that a person would type meanwhile: whatever they answer, it is in words and paints nothing. */
  async checkScreens(random: Seeded): Promise<void> {
    const [agent = ''] = this.agents.map(({ home }) => home.id);
    const asked: string[][] = [
      ['history'],
      ['history', '--json'],
      ['status'],
      ['status', agent],
      ['status', agent, '--json'],
      ['status', '-l', 'role=canary'],
      ['plan', this.older.at(-1) as string, '--url', this.url, '--relative-path', 'shop'],
      ['attach', '--timeout', '1s'],
      ['policy', 'show'],
      ['quarantine'],
      ['hold', '--json'],
    ];
    const chosen = [random.pick(asked), random.pick(asked)];
    const run = async (args: string[]) => this.checkWords(args, await bounded(args, this.fleet.run(...args)));
    await Promise.all(chosen.map(run));
    const { home } = random.pick(this.agents);
    const local = ['agent', 'status', ...(random.often(0.5) ? ['--json'] : []), '--app', this.fleet.app];
    const places = ['--root', home.root, '--state', home.state, '--id', home.id];
    this.checkWords(local, await bounded(local, gitfleet([...local, ...places])));
  }

  private checkWords(args: readonly string[], { exitCode, stdout, stderr }: Ran): void {
    this.screens += 1;
    const said = stdout + stderr;
    const told = `gitfleet ${args.join(' ')} ended with ${exitCode}: ${JSON.stringify(said.slice(0, 2_000))}`;
    if (PAINTS.test(said)) throw new Error(`painted: ${told}`);
    if (/INTERNAL|defect in gitfleet|at .*\.(cjs|js):\d+/.test(said)) throw new Error(`no answer: ${told}`);
    if (exitCode < 0 || exitCode > 7) throw new Error(`no exit code of ours: ${told}`);
  }

  /** The complete check: trees, requests, what ran, what is outside, what was said. */
  async checkAll(): Promise<void> {
    for (const { home } of this.agents) {
      await until(`${home.id} shows a whole commit`, async () => {
        const commitId = shown(home, 'shop') as string;
        const found = onDisk(join(home.root, 'shop'));
        if (shown(home, 'shop') !== commitId) return false;
        expect(found).toMatchObject(meant(this.trees.get(commitId) ?? new Map()));
        return true;
      });
      this.checkSteps(home);
      checkLog(home);
    }
    expect(this.server.requests.filter((line) => !/^(GET|POST) \/good\/shop\.git\/(info|git-)/.test(line))).toEqual([]);
    expect(this.lookOutside()).toBe(this.seenOutside);
    for (const { pid, said } of this.watchers) {
      if (PAINTS.test(said)) throw new Error(`a watching publisher painted: ${JSON.stringify(PAINTS.exec(said))}`);
      if (!existsSync(`/proc/${pid}`)) throw new Error(`a watching publisher ended: ${said.slice(-2_000)}`);
    }
  }

  private checkSteps(home: AgentHome): void {
    for (const line of linesOf(join(home.root, '../steps.log'))) {
      const [commitId = '', where = '', link] = line.split(' ');
      if (this.trees.has(commitId) && where.startsWith(`${home.app}/releases/`) && link === join(home.root, 'shop'))
        continue;
      throw new Error(`${home.id} ran a step with ${line}`);
    }
  }

  /** Everything in this fleet's directory that belongs neither to an agent nor to the repository with the commits. */
  private lookOutside(): string {
    const found: string[] = [];
    const walk = (at: string): void => {
      for (const name of readdirSync(at).sort()) {
        const path = join(at, name);
        const below = path.slice(this.fleet.directory.length + 1);
        if (/^git\/good|^agents\/web-\d\/(root|state|agent\.log|steps\.log)/.test(below)) continue;
        const stat = lstatSync(path);
        found.push(`${below} ${stat.mode} ${stat.isDirectory() ? '' : readFileSync(path, 'latin1')}`);
        if (stat.isDirectory()) walk(path);
      }
    };
    walk(this.fleet.directory);
    return found.join('\n');
  }

  async journalOf(agent: FuzzedAgent): Promise<Json> {
    return JSON.parse(readFileSync(join(agent.home.appState, 'journal.json'), 'utf8')) as Json;
  }

  /** Ends the agent, lets it start with this as its journal, and then with its own. */
  async restartWith(agent: FuzzedAgent, journal: Buffer): Promise<void> {
    const file = join(agent.home.appState, 'journal.json');
    expect(await bounded(['agent run'], agent.life.kill('SIGTERM'))).toBe(0);
    const own = readFileSync(file);
    writeFileSync(file, journal);
    agent.life = startLife(agent.home, {}, MAIN);
    await this.answers(agent);
    // A journal that it cannot read ends it with 1, for a person. It must not end in any other way.
    if (![null, 1].includes(agent.life.over as number | null)) throw new Error(`it ended with ${agent.life.over}`);
    expect(await bounded(['agent run'], agent.life.kill('SIGTERM'))).toBeLessThan(2);
    expect(readdirSync(agent.home.root).sort()).toEqual(['.gitfleet', 'shop']);
    writeFileSync(file, own);
    agent.life = startLife(agent.home, {}, MAIN);
    await this.answers(agent);
  }

  private async answers({ port, life }: FuzzedAgent): Promise<void> {
    const alive = () => healthOf(port).then((status) => status === 200);
    await until('it answers or ends', async () => life.over !== null || (await alive().catch(() => false)));
  }

  watchersSaw(commitId: string): boolean {
    return this.watchers.every(({ said }) => said.slice(-20_000).includes(commitId.slice(0, 8)));
  }

  summary(): string {
    const ran = this.agents.flatMap(({ home }) => linesOf(join(home.root, '../steps.log'))).length;
    const { requests } = this.server;
    return (
      `${this.trees.size} commits, ${requests.length} requests, ${ran} steps, ${this.screens} screens, ` +
      `slowest answer of an agent ${Math.round(this.worstMs)} ms`
    );
  }

  lastLines(): string {
    const last = ({ home }: FuzzedAgent) =>
      linesOf(home.logFile)
        .slice(-12)
        .map((line) => line.slice(0, 600));
    return this.agents.flatMap(last).join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all(this.watchers.map((each) => each.cleanUp()));
    await Promise.all(this.agents.map(({ life }) => life.kill('SIGKILL')));
    await this.server.stop();
    await this.fleet.stop();
  }
}

const ENDS_MS = 120_000;

/** A program that does not end is a failure with its name, not a test that goes silent. */
async function bounded<T>(args: readonly string[], ran: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = systemClock.sleep(ENDS_MS, over.signal).then(() => {
    throw new Error(`gitfleet ${args.join(' ')} does not end`);
  });
  late.catch(() => {}); // Ours, where it was in time.
  return await Promise.race([ran, late]).finally(() => over.abort());
}

/** On its own connection: the agent may close a kept one just as it is used again. */
function healthOf(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(HANGS_MS);
    get({ host: '127.0.0.1', port, path: '/healthz', agent: false, signal: timeout }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode));
    }).on('error', reject);
  });
}

const aFile = (content: string): Node => ({ kind: 'file', content, executable: false });

/** Leases and candidates of the agents themselves, and the records so far. */
function isOurs(parent: string, name: string, last: number): boolean {
  if (parent === 'deployments') return /^d-[1-9]\d{0,9}$/.test(name) && Number(name.slice(2)) <= last;
  return (parent === 'fetch' || parent === 'election') && /-\d{10}$/.test(name) && name !== 'lease-9999999999';
}

/** Gone, existing already, or too large for this server. Anything else is a defect of the test. */
function ignorable(error: unknown): false {
  const { code = '' } = error as { code?: string };
  if (['NO_NODE', 'NODE_EXISTS', 'BAD_ARGUMENTS', 'NOT_EMPTY', 'TOO_LARGE', 'QUOTA_EXCEEDED'].includes(code))
    return false;
  throw error;
}

const linesOf = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
};

/** Lines of JSON that paint nothing, and no failure that only a defect of ours can cause. */
function checkLog({ id, logFile }: AgentHome): void {
  for (const line of linesOf(logFile)) {
    const told = `${id} logged ${JSON.stringify(line.slice(0, 1_500))}`;
    if (PAINTS.test(line)) throw new Error(`painted: ${told}`);
    if (/"code":"INTERNAL"|defect in gitfleet|"next":"bug"/.test(line)) throw new Error(`no known failure: ${told}`);
  }
}
