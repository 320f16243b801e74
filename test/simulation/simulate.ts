import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { STEERING } from '../../publisher/steer.ts';
import { createLog } from '../../runtime/log.ts';
import { encodePolicy, policy as policySchema } from '../../schemas/policy.ts';
import { znodes } from '../../schemas/znodes.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import type { Session } from '../../zookeeper/session.ts';
import { type Seeded, seeded } from '../support/seeded.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';
import { createFakeLine } from '../support/zookeeper/fake/line.ts';
import { type Backup, createFakeServer } from '../support/zookeeper/fake/server.ts';
import { fillDisk, hostileRecord, inventPresence, lieAbout } from './attacks.ts';
import { createChecker, DEADLINE_MS, type Nature, SOAK } from './checker.ts';
import { newDisks, onTouch } from './disk.ts';
import {
  backByHand,
  cutLines,
  type Fleet,
  freeze,
  join,
  kill,
  leaderOf,
  loseLine,
  loseOrigin,
  type Made,
  newServer,
  publish,
  say,
} from './fleet.ts';
import type { World } from './server.ts';
import { loseData, publishAgain } from './set-back.ts';
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
const HOUR = 60 * MINUTE;
/** What changes there is a moment that ZooKeeper may be set back to. */
const TURNS = ['config', 'rollout', 'permits', 'quarantine'] as const;
/** After the last fault: longer than every backoff, soak, deadline and session. */
const HEAL_MS = 40 * MINUTE;
const LOOK_MS = 5_000;

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
    // A deadline is noticed at a look of the leader, which comes some seconds after it.
    troubleSince: (at) => troubleAt >= at - DEADLINE_MS - LOOK_MS || servers.some(({ state }) => state !== 'up'),
  };
  const checker = createChecker(zookeeper, paths, clock, nature);
  onTouch((path) => checker.atTouch(servers, path));
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
    atFetch: (server, url) => checker.atFetch(server, url),
    atServices: (server, words) => checker.atServices(server, words),
    atFailpoint(server, name) {
      if (name === 'swap.renamed') activated.set(`${server.id} ${server.shown()}`, clock.monotonic());
      checker.atFailpoint(server, name);
    },
    afterRun: (release) => void releases.push(release),
  };
  const peoplesLatency = draw.fork();
  const peoplesLine = createFakeLine({
    server: zookeeper,
    clock,
    latency: () => (world.steady ? 10 : peoplesLatency.next() * 20),
  });
  const sessionOf = (chance: Seeded) =>
    openSession({
      ...{ connect: '127.0.0.1:1', clock, random: chance.next, defaultAcl: 'open', sessionTimeoutMs: 6_000 },
      openLink: peoplesLine.openLink,
      log: createLog({ level: 'silent' }, { write: () => {} }),
    });
  const people = sessionOf(draw.fork());
  // What no story has draws from a source of its own.
  const others = seeded(seed + 1);
  let stranger: Session | null = null;
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
    zookeeper,
    backups: [],
    cutPeople: peoplesLine.cut,
    stranger() {
      if (stranger === null) {
        stranger = sessionOf(others.fork());
        notePeriods(stranger, checker.isStranger);
      }
      return stranger;
    },
    skew: () => (options.script || others.often(0.7) ? 0 : others.pick([-3 * HOUR, -20 * MINUTE, 5 * HOUR])),
  };

  notePeriods(people, checker.isPerson);
  await done(clock, people.connected());
  await done(clock, initApp(people, paths, openAccess));
  const policy = options.script ? encodePolicy(policySchema().parse(options.script.policy)) : policyOf(draw);
  await done(clock, people.set(paths.policy, policy, -1));
  tell(`${count} servers, policy ${policy.toString('utf8')}`);
  zookeeper.onWrite((_, changes) => {
    if (changes.some(({ op, path }) => op !== 'check' && TURNS.some((turn) => path.startsWith(paths[turn])))) {
      fleet.backups.push(zookeeper.backup());
    }
  });
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
      somethingHappens(fleet, policy);
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
  // Without a person it stays halted; without an app nothing can be said at all.
  if (checker.awaitsPerson() && (!zookeeper.peek(paths.config)?.data.length || others.often(0.7))) {
    fleet.ask(putInOrder(fleet, policy));
  }
  const until = clock.monotonic() + HEAL_MS;
  const peopleSpoke = () => story.filter((line) => line.includes('a person says')).length;
  // What a person has asked for last may not have reached ZooKeeper yet.
  let rest = await clock.run(until, () => asked.size === 0 && checker.isOver());
  // What has ended must stay so, and every agent has to have heard of it.
  const spoken = peopleSpoke();
  await clock.run(clock.monotonic() + 2 * MINUTE);
  // A person who answered late may have begun something that has to end, too.
  if (peopleSpoke() > spoken) await clock.run(until, checker.isOver);
  rest &&= checker.isOver();
  checker.atEnd(servers);
  const last = checker.rollout();
  tell(`ended ${rest ? '' : 'NOT '}as ${last?.state}: ${last?.reason}`);
  for (const server of servers) server.kill();
  for (const release of releases) release();
  void people.close();
  void (stranger as Session | null)?.close();
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
      ...(draw.often(0.2) ? { cutover: 'together' } : {}),
    }),
  );
}

/** One thing of those that happen to fleets. */
function somethingHappens(fleet: Fleet, policy: Buffer): void {
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
    [3, () => goBack(fleet, draw.pick(fleet.backups.slice(draw.often(0.7) ? -25 : 0)), policy)],
    [0.5, () => goBack(fleet, 'nothing', policy)],
    [1.5, () => hostileRecord(fleet, policy)],
    [1, () => lieAbout(fleet, server)],
    [1, () => inventPresence(fleet, server)],
    [0.5, () => fillDisk(fleet, server)],
  ];
  let at = draw.next() * events.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, happen] of events) {
    at -= weight;
    if (at >= 0) continue;
    happen();
    return;
  }
}

/** Now and then all agents start anew then, and remember nothing but what is on their disks; some people act at once. */
function goBack(fleet: Fleet, to: Backup | 'nothing', policy: Buffer): void {
  const { draw, servers, clock, ask } = fleet;
  loseData(fleet, to);
  if (draw.often(0.3)) kill(fleet, servers, () => draw.next() * 10_000);
  if (draw.often(0.4)) ask(clock.sleep(draw.next() * 60_000).then(() => putInOrder(fleet, policy)));
}

/** Where data were lost, nothing else ends it. */
const putInOrder = (fleet: Fleet, policy: Buffer): Promise<void> =>
  publishAgain(fleet, policy).catch((error: unknown) => fleet.tell(`not published again: ${(error as Error).message}`));

/** Where ZooKeeper lost its data, the next session of the same client has another id. */
function notePeriods(session: Session, note: (sessionId: bigint) => void): void {
  session.onState((state) => {
    if (state !== 'connected') return;
    session.connected().then(
      ({ sessionId }) => note(sessionId),
      () => {},
    );
  });
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
