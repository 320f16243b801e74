import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { steerWords } from '../../publisher/screens/steer-words.ts';
import { STEERING } from '../../publisher/steer.ts';
import { steerRollout } from '../../publisher/steer-rollout.ts';
import { createLog } from '../../runtime/log.ts';
import { encodePolicy, policy as policySchema } from '../../schemas/policy.ts';
import { ANY_URL, parseTarget } from '../../schemas/target.ts';
import { znodes } from '../../schemas/znodes.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import { type Seeded, seeded } from '../support/seeded.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';
import { createFakeLine } from '../support/zookeeper/fake/line.ts';
import { createFakeServer } from '../support/zookeeper/fake/server.ts';
import { type Checker, type CommitKind, createChecker, DEADLINE_MS, type Nature, SOAK } from './checker.ts';
import { newDisks } from './disk.ts';
import { PATH, type SimulatedServer, simulatedServer, type World } from './server.ts';
import { transcribe } from './transcript.ts';

interface Run {
  readonly violations: readonly string[];
  /** What happened, in order, with virtual times. */
  readonly story: readonly string[];
  /** How the last rollout ended. */
  readonly ending: string;
}

interface RunOptions {
  readonly planted?: World['planted'];
  /** What happens, in place of what chance makes up; its story then tells also what the fleet did about it. */
  readonly script?: Script;
}

/** The first deployment of a good commit is over when it begins; after it everything that is broken heals. */
export interface Script {
  readonly servers: number;
  readonly policy: object;
  readonly play: (fleet: Fleet, seconds: (count: number) => Promise<unknown>) => Promise<void>;
}

const APP = '/app/business';
const MINUTE = 60_000;
/** After the last fault: longer than every backoff, soak, deadline and session. */
const HEAL_MS = 40 * MINUTE;

/**
 * One schedule of a fleet of shipped agents and coordinators on a ZooKeeper and disks in memory: a first deployment, then
 * faults, people and pushes at random moments, then health, and what the checker says. The same seed is the same run.
 */
export async function simulate(seed: number, options: RunOptions = {}): Promise<Run> {
  newDisks();
  const draw = seeded(seed);
  const clock = createVirtualClock();
  const zookeeper = createFakeServer(clock);
  const paths = znodes(APP);
  const story: string[] = [];
  const commits = new Map<string, Made>();
  /** A story is told from its first event on. */
  let beganAt = 0;
  const named = (words: string) => namedIn(words, commits);
  const tell = options.script
    ? (words: string) => void story.push(`${minutes(clock.monotonic() - beganAt)} ${named(words)}`)
    : (words: string) => void story.push(`${(clock.monotonic() / 1_000).toFixed(1)} s ${words}`);
  /** When servers were last in trouble of their own, and which of them still are. */
  let troubleAt = Number.NEGATIVE_INFINITY;
  const nature: Nature = {
    kindOf: (commitId) => commits.get(commitId)?.kind ?? null,
    troubleSince: (at) => troubleAt >= at - DEADLINE_MS || servers.some(({ state }) => state !== 'up'),
  };
  const checker = createChecker(zookeeper, paths, clock, nature);
  const activated = new Map<string, number>();
  const releases: (() => void)[] = [];
  let originUp = true;
  const world: World = {
    ...{
      app: APP,
      clock,
      zookeeper,
      planted: options.planted,
      originUp: () => originUp,
      steady: options.script !== undefined,
    },
    log: (agentId) =>
      createLog(
        { level: process.env['GITFLEET_TRACE'] === '1' ? 'info' : 'silent', bindings: { agentId } },
        { write: (line) => tell(line.trim()) },
      ),
    isHealthy(commitId, agentId) {
      const made = commits.get(commitId);
      const forMs = clock.monotonic() - (activated.get(`${agentId} ${commitId}`) ?? 0);
      if (made?.kind === 'sickens') return forMs < SICK_AFTER_MS;
      return made?.kind === 'good' || (made?.kind === 'flaky' && made.sickOn !== agentId);
    },
    atFailpoint(server, name) {
      if (name === 'swap.renamed') activated.set(`${server.id} ${server.shown()}`, clock.monotonic());
      checker.atFailpoint(server, name);
    },
    afterRun: (release) => void releases.push(release),
  };
  const peoplesLatency = draw.fork();
  const people = openSession({
    ...{ connect: '127.0.0.1:1', clock, random: draw.fork().next, defaultAcl: 'open', sessionTimeoutMs: 6_000 },
    openLink: createFakeLine({
      server: zookeeper,
      clock,
      latency: () => (world.steady ? 10 : peoplesLatency.next() * 20),
    }).openLink,
    log: createLog({ level: 'silent' }, { write: () => {} }),
  });
  const count = options.script?.servers ?? 3 + draw.below(3);
  const servers = Array.from({ length: count }, (_, at) => newServer(world, at, draw));
  const asked = new Set<Promise<unknown>>();
  const fleet: Fleet = {
    draw,
    clock,
    people,
    paths,
    servers,
    commits,
    trouble() {
      troubleAt = clock.monotonic();
    },
    checker,
    tell,
    world,
    origin(up) {
      originUp = up;
    },
    ask(work) {
      asked.add(work);
      void work.finally(() => asked.delete(work));
    },
  };

  checker.isPerson((await done(clock, people.connected())).sessionId);
  await done(clock, initApp(people, paths, openAccess));
  const policy = options.script ? encodePolicy(policySchema().parse(options.script.policy)) : policyOf(draw);
  await done(clock, people.set(paths.policy, policy, -1));
  tell(`${count} servers, policy ${policy.toString('utf8')}`);
  for (const server of servers) await server.start();
  publish(fleet, 'good');
  await clock.run(clock.monotonic() + 5 * MINUTE, () => checker.rollout()?.state === 'proven');
  if (options.script) {
    beganAt = clock.monotonic();
    transcribe({ zookeeper, paths, tell });
    await options.script.play(fleet, (seconds) => clock.run(clock.monotonic() + seconds * 1_000));
  } else {
    const events = 2 + draw.below(8);
    for (let event = 0; event < events; event++) {
      somethingHappens(fleet);
      await clock.run(clock.monotonic() + draw.next() ** 2 * 60_000);
    }
  }
  tell('all faults end');
  fleet.origin(true);
  for (const server of servers) {
    server.line.mode('pass');
    server.thaw();
    await server.start();
  }
  const until = clock.monotonic() + HEAL_MS;
  // What a person has asked for last may not have reached ZooKeeper yet.
  let rest = await clock.run(until, () => asked.size === 0 && checker.isOver());
  // What has ended must stay so, and every agent has to have heard of it.
  await clock.run(clock.monotonic() + 2 * MINUTE);
  rest &&= checker.isOver();
  checker.atEnd(servers);
  const last = checker.rollout();
  tell(`ended ${rest ? '' : 'NOT '}as ${last?.state}: ${last?.reason}`);
  for (const server of servers) server.kill();
  for (const release of releases) release();
  void people.close();
  return { violations: checker.violations, story, ending: last?.state ?? 'none' };
}

/** Minutes and seconds, to the nearest five: a request more is no other story. */
const minutes = (ms: number): string => new Date(Math.round(ms / 5_000) * 5_000).toISOString().slice(14, 19);

/** Commits by their kind and number, since their ids say nothing to a reader. */
function namedIn(words: string, commits: ReadonlyMap<string, Made>): string {
  let named = words;
  for (const [number, [commitId, { kind }]] of [...commits].entries()) {
    const name = `${kind}-${number + 1}`;
    named = named.replaceAll(new RegExp(`${commitId.slice(0, 7)}[0-9a-f]*`, 'g'), name);
  }
  return named;
}

/** Healthy for as long as the health rule asks for, and not for as long as the soak. */
const SICK_AFTER_MS = 7_000;

interface Made {
  readonly kind: CommitKind;
  readonly sickOn: string;
}

export interface Fleet {
  readonly draw: Seeded;
  readonly clock: World['clock'];
  readonly people: ReturnType<typeof openSession>;
  readonly paths: ReturnType<typeof znodes>;
  readonly servers: SimulatedServer[];
  readonly commits: Map<string, Made>;
  /** A server is in trouble. */
  readonly trouble: () => void;
  readonly checker: Checker;
  readonly tell: (words: string) => void;
  readonly world: World;
  readonly origin: (up: boolean) => void;
  /** A person waits for this, which does not fail. */
  readonly ask: (work: Promise<unknown>) => void;
}

const newServer = (world: World, at: number, draw: Seeded): SimulatedServer =>
  simulatedServer(world, `web-${at + 1}`, { zone: at === 0 ? 'a' : draw.pick(['a', 'b']) }, draw.fork());

function policyOf(draw: Seeded): Buffer {
  if (draw.often(0.1)) return Buffer.alloc(0);
  const canary = draw.pick([undefined, 1, '34%', 'zone=a']);
  return encodePolicy(
    policySchema().parse({
      ...(canary === undefined ? {} : { canary }),
      maxParallel: draw.pick([1, 2, '50%']),
      ...(draw.often(0.3) ? { byLabel: 'zone' } : {}),
      soak: draw.pick(['0s', '5s', SOAK, SOAK]),
      failureBudget: draw.pick([0, 0, 1]),
      offlineBudget: draw.pick(['50%', '100%', 1]),
      deadline: `${DEADLINE_MS / 1_000}s`,
      onFailure: draw.pick(['rollback', 'rollback', 'pause', 'continue']),
    }),
  );
}

/** One thing of those that happen to fleets. */
function somethingHappens(fleet: Fleet): void {
  const { draw, servers } = fleet;
  const server = draw.pick(servers);
  const whom = draw.often(0.4) ? leaderOf(fleet, server) : server;
  const within = (maxMs: number) => draw.next() * maxMs;
  const events: [weight: number, happen: () => void][] = [
    [5, () => publish(fleet, draw.pick(['good', 'good', 'bad', 'flaky', 'sickens']))],
    [2, () => publish(fleet, draw.pick(['good', 'bad']), 'foreign')],
    [3, () => kill(fleet, [whom], () => within(60_000))],
    [3, () => freeze(fleet, whom, within(20_000))],
    [2, () => loseLine(fleet, whom, draw.pick(['drop', 'refuse']), within(20_000))],
    [1, () => cutLines(fleet)],
    [1, () => kill(fleet, servers, () => within(10_000))],
    [1, () => loseOrigin(fleet, within(120_000))],
    [1, () => join(fleet)],
    [3, () => say(fleet, draw.pick([...STEERING, 'resume', 'promote']))],
    [1, () => backByHand(fleet)],
  ];
  let at = draw.next() * events.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, happen] of events) {
    at -= weight;
    if (at >= 0) continue;
    happen();
    return;
  }
}

/** Who leads the rollout now. */
export const leaderOf = (fleet: Fleet, otherwise: SimulatedServer): SimulatedServer =>
  fleet.servers.find(({ id }) => id === fleet.checker.rollout()?.leader?.agentId) ?? otherwise;

/** Each is there again after as many ms as `forMs` says. */
export function kill({ tell, trouble, clock, servers }: Fleet, whom: SimulatedServer[], forMs: () => number): void {
  tell(whom === servers ? 'every agent is killed' : `${whom.map(({ id }) => id)} is killed`);
  trouble();
  for (const each of whom) each.kill();
  for (const each of [...whom]) clock.after(forMs(), () => void each.start());
}

export function freeze({ tell, trouble, clock }: Fleet, whom: SimulatedServer, forMs: number): void {
  tell(`${whom.id} is frozen`);
  trouble();
  whom.freeze();
  clock.after(forMs, whom.thaw);
}

export function loseLine(fleet: Fleet, whom: SimulatedServer, how: 'drop' | 'refuse', forMs: number): void {
  fleet.tell(`${whom.id} loses its line`);
  fleet.trouble();
  whom.line.mode(how);
  fleet.clock.after(forMs, () => whom.line.mode('pass'));
}

export function cutLines({ tell, trouble, servers }: Fleet): void {
  tell('every line is cut');
  trouble();
  for (const each of servers) each.line.cut();
}

export function loseOrigin({ tell, origin, clock }: Fleet, forMs: number): void {
  tell('the origin goes away');
  origin(false);
  clock.after(forMs, () => origin(true));
}

export function join({ world, servers, draw, tell }: Fleet): void {
  const joiner = newServer(world, servers.length, draw);
  tell(`${joiner.id} joins`);
  servers.push(joiner);
  void joiner.start();
}

let serial = 0;

/** Publishes a new commit: as our publisher does, or as any ZooKeeper client might. */
export function publish(fleet: Fleet, kind: CommitKind, how: 'ours' | 'foreign' = 'ours'): void {
  const { draw, commits } = fleet;
  const commitId = Array.from({ length: 40 }, () => draw.below(16).toString(16)).join('');
  const sick = fleet.draw.pick(fleet.servers).id;
  commits.set(commitId, { kind, sickOn: sick });
  publishCommit(fleet, commitId, how, `a ${kind} commit${kind === 'flaky' ? ` that is sick on ${sick}` : ''}`);
}

function publishCommit(fleet: Fleet, commitId: string, how: 'ours' | 'foreign', what: string): void {
  const { people, paths, clock, tell } = fleet;
  const text = JSON.stringify({ url: 'https://git.example.com/shop', commitId, relativePath: PATH });
  tell(`${how === 'ours' ? 'publish' : 'a foreign writer sets'} ${commitId.slice(0, 7)}, ${what}`);
  const failed = (error: unknown) => tell(`${commitId.slice(0, 7)} is not published: ${(error as Error).message}`);
  if (how === 'foreign') {
    fleet.ask(people.set(paths.config, Buffer.from(text), -1).catch(failed));
    return;
  }
  const judged = parseTarget(Buffer.from(text), ANY_URL);
  if (!judged.ok) throw new Error(judged.failure.reason);
  const { target } = judged;
  const parts = {
    session: people,
    znodes: paths,
    access: openAccess,
    now: clock.now,
    newNonce: () => `people-${++serial}`,
  };
  fleet.ask(
    readSharedState(people, paths)
      .then((state) => publishTarget(parts, state, { target, by: 'ann', reason: what, via: 'publish' }))
      .catch(failed),
  );
}

/** A person rolls back to any commit that was published before. */
export function backByHand(fleet: Fleet, to = fleet.draw.pick([...fleet.commits.keys()])): void {
  publishCommit(fleet, to, 'ours', 'again, by hand');
}

export function say({ people, paths, clock, tell, ask }: Fleet, verb: (typeof STEERING)[number]): void {
  tell(`a person says ${verb}`);
  ask(
    steerRollout({ session: people, znodes: paths, clock }, verb, { by: 'ann', reason: 'to see' })
      .then((steered) => tell(`${verb}: ${steerWords(steered)}`))
      .catch((error: unknown) => tell(`${verb} is refused: ${(error as Error).message}`)),
  );
}

/** Runs virtual time until `work` is done. */
async function done<T>(clock: World['clock'], work: Promise<T>): Promise<T> {
  let over = false;
  work
    .finally(() => {
      over = true;
    })
    .catch(() => {});
  await clock.run(clock.monotonic() + MINUTE, () => over);
  return await work;
}
