import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { type AgentParts, runAgent } from '../../agent/agent.ts';
import type { RolloutView } from '../../agent/coordination/clearance.ts';
import { layoutOf, linkOf } from '../../agent/disk/layout.ts';
import { NO_VOUCH } from '../../agent/door/vouch.ts';
import { type AgentListener, createEmit } from '../../agent/events.ts';
import { createMaintenance } from '../../agent/maintenance.ts';
import { repairJournal } from '../../agent/repair-journal.ts';
import { createRoom, type Room } from '../../agent/room.ts';
import { logDeployments } from '../../agent/service/deployment-log.ts';
import { reportStatus } from '../../agent/service/status-report.ts';
import { openAccepted } from '../../agent/state/accepted.ts';
import type { FailpointName } from '../../agent/state/failpoints.ts';
import { type Journal, readJournal, writeJournal } from '../../agent/state/journal.ts';
import type { OwnCredential } from '../../agent/state/own-credential.ts';
import { patternsOf, preparationKey, stepsOf } from '../../agent/steps/release-file.ts';
import { fleetSide } from '../../cli/daemon/fleet-side.ts';
import { openAccess } from '../../fleet/access.ts';
import type { Logger } from '../../runtime/log.ts';
import { createShutdown, type Shutdown } from '../../runtime/shutdown.ts';
import { agentSettings, parseSettings } from '../../schemas/settings/settings.ts';
import { signingKey } from '../../schemas/text/signed-json.ts';
import type { RelativePath } from '../../schemas/values.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import type { Session } from '../../zookeeper/session.ts';
import { doorFor } from '../support/allowed-target.ts';
import { type Seeded, seeded } from '../support/seeded.ts';
import { createProcessClock, type ProcessClock, type VirtualClock } from '../support/virtual-clock.ts';
import { createFakeLine, type FakeLine } from '../support/zookeeper/fake/line.ts';
import type { FakeServer } from '../support/zookeeper/fake/server.ts';
import { namesIn, shownBy } from './disk.ts';
import { noObjects, simulatedGit } from './git.ts';
import { simulatedServices } from './services.ts';

/** What all servers of a simulated fleet share. */
export interface World {
  readonly app: string;
  readonly clock: VirtualClock;
  readonly zookeeper: FakeServer;
  readonly log: (agentId: string) => Logger;
  readonly originUp: () => boolean;
  /** Every request takes the same time, so that one more or less hardly moves what is told of a story. */
  readonly steady: boolean;
  /** Whether a release of this commit is healthy on this server now. */
  readonly isHealthy: (commitId: string, agentId: string) => boolean;
  readonly atFetch: (server: SimulatedServer, url: string) => void;
  readonly atFailpoint: (server: SimulatedServer, name: FailpointName) => void;
  /** The services of a server are out of their lists, or in, when they must not be. */
  readonly atServices: (server: SimulatedServer, words: string) => void;
  /** Called when the run is over and time stands still: what killed processes left waiting can go then. */
  readonly afterRun: (release: () => void) => void;
  /** A defect that the checker has to find. */
  readonly planted?: Planted | undefined;
}

type Planted =
  | 'agents go without a permit'
  | 'agents call themselves active before they are healthy'
  | 'coordinators forget the guard of their term'
  | 'agents forget what they accepted'
  | 'coordinators overlook that ZooKeeper was set back'
  | 'agents allow every repository'
  | 'agents stay out of their services'
  | 'agents keep every release';

/** One server: its disk outlives its agent. */
export interface SimulatedServer {
  readonly id: string;
  readonly line: FakeLine;
  readonly state: 'down' | 'up' | 'frozen';
  /** Since when it is down or frozen, virtual ms. */
  readonly awaySince: number | null;
  journal(): Journal | null;
  /** How many releases its disk holds. */
  releasesThatFit: number;
  /** The commits of those on it. */
  releases(): readonly string[];
  /** The commit that the link shows. */
  shown(): string | null;
  start(): Promise<void>;
  /** As kill -9. */
  kill(): void;
  freeze(): void;
  thaw(): void;
  /** As SIGTERM: everything is released, in order. */
  stop(): Promise<void>;
}

/** The one repository that agents may fetch from. */
export const REPOSITORY = 'https://git.example.com/shop';
export const PATH = 'shop' as RelativePath;
const SESSION_MS = 6_000;
export const KEEP_RELEASES = 2;
/** Judged quickly, so that a simulated hour holds many deployments. */
const HEALTH = {
  checks: [{ tcp: '127.0.0.1:1' }],
  ...{ interval: '1s', rise: 2, healthyFor: '3s', fall: 2, start: '2s', deadline: '20s' },
};

/** Of every run the same, as nothing may be drawn by the machine. */
function ownOf(id: string): OwnCredential {
  const key = signingKey(createHash('sha256').update(id).digest());
  const identity = { key: key.publicKey, digest: 'A'.repeat(27) };
  return { scheme: 'digest', credential: `agent-${id}:x`, id, key, identity };
}

export function simulatedServer(world: World, id: string, labels: Record<string, string>, draw: Seeded) {
  const settings = parseSettings(
    {
      zookeeper: { connect: '127.0.0.1:1' },
      app: world.app,
      agent: {
        ...{ id, root: `/${id}/root`, state: `/${id}/state`, labels, allowUrls: [REPOSITORY] },
        ...{ health: HEALTH, keepReleases: KEEP_RELEASES, releaseGrace: '30s', verifyInterval: '5m' },
      },
    },
    id,
  );
  const agent = agentSettings(settings);
  const layout = layoutOf(agent.root, agent.state, world.app);
  // A source each, so that a request more or less changes nothing else of a run.
  const [latency, lives] = [draw.fork(), draw.fork()];
  const line = createFakeLine({
    server: world.zookeeper,
    clock: world.clock,
    latency: () => (world.steady ? 10 : latency.next() * 20),
  });
  const objects = noObjects();
  let clock: ProcessClock | null = null;
  let shutdown: Shutdown | null = null;
  let journal: Journal | null = null;
  let state: SimulatedServer['state'] = 'down';
  let awaySince: number | null = 0;
  let starts = 0;

  async function compose(now: ProcessClock, ends: Shutdown): Promise<void> {
    const [life, log] = [lives.fork(), world.log(id)];
    const random = life.fork().next;
    for (const directory of [layout.releases, layout.appState])
      await mkdir(directory, { recursive: true, mode: 0o755 });
    let kept = await repairJournal(layout, await readJournal(layout.appState), now.now());
    journal = kept;
    const remember = async (change: (before: Journal) => Journal) => {
      const next = change(kept);
      await writeJournal(layout.appState, next);
      kept = next;
      if (clock === now) journal = next;
    };
    const session = openSession({
      ...{ connect: '127.0.0.1:1', openLink: line.openLink, defaultAcl: 'open', sessionTimeoutMs: SESSION_MS },
      ...{ clock: now, random, log },
    });
    ends.add('session', () => session.close());
    world.afterRun(() => {
      ends.ask();
      void session.close();
    });
    const instanceId = `${id}-${starts}`;
    const card = { agentId: id, instanceId, machineId: id, pid: starts, host: id, labels, agentVersion: '0' };
    const mechanics = {
      clock: now,
      random,
      log,
      shutdown: ends,
      newNonce: () => `${instanceId}-${life.next()}`,
      newSecret: () => '0'.repeat(32),
    };
    const evil = world.planted === 'agents allow every repository' ? ['https://evil.example.com/'] : [];
    const side = fleetSide({
      ...{
        session: sessionWithDefect(session, world.planted),
        access: openAccess,
        app: world.app,
        card,
        own: ownOf(id),
        stands: true,
        flagsFile: null,
        live: () => agent,
        door: doorFor(agent.allowUrls.concat(evil)),
      },
      ...mechanics,
    });
    const store = simulatedGit({
      ...{ objects, clock: now, draw: life.fork(), originUp: world.originUp, spareDirectory: layout.spare },
      onFetch: (url) => world.atFetch(server, url),
      hasRoom: () => server.releases().length < server.releasesThatFit,
    });
    const source = { own: agent, allowCommitted: false };
    const failpoint = async (name: FailpointName) => {
      world.atFailpoint(server, name);
      // A crash may come between any two of them.
      await now.sleep(life.next() * 5);
    };
    const parts = {
      ...{ layout, store, spare: store.spare(layout.spare), journal: () => kept, remember },
      ...{ clock: now, random, log, failpoint, uid: process.getuid?.() ?? 0, originTurn: side.originTurn },
      ...{ vouch: NO_VOUCH, isCanary: () => false },
      steps: {
        run: () => now.sleep(life.next() * 500),
        check: () => Promise.reject(new Error('no command is checked here')),
      },
      probe: async (_: unknown, { commitId }: { commitId: string }, signal: AbortSignal) => {
        await now.sleep(life.next() * 200, signal);
        return world.isHealthy(commitId, id) ? null : 'it answers 500';
      },
      stepsOf: (release: string) => stepsOf(source, release),
      ...{ preparation: preparationKey(source), generated: patternsOf(agent), resyncMs: agent.resyncInterval },
    };
    const { keepReleases, keepFailedReleases, releaseGrace } = agent;
    const keepsAll = world.planted === 'agents keep every release';
    const retention = () => ({
      ...{ keepReleases: keepsAll ? 99 : keepReleases, keepFailedReleases: keepsAll ? 99 : keepFailedReleases },
      graceMs: releaseGrace,
    });
    const room = keepsAll ? NO_ROOM : createRoom({ ...parts, retention });
    const report = reportStatus({ reporter: side.reporter, clock: now, agentId: id, agentVersion: '0' });
    // A source of its own, so that it changes nothing else of a run.
    const services = simulatedServices({
      ...{ clock: now, draw: seeded(starts), steady: world.steady },
      stuck: world.planted === 'agents stay out of their services',
      violate: (words) => clock === now && world.atServices(server, words),
    });
    const listeners = {
      log: logDeployments(log),
      report: reportWithDefect(report, world.planted),
      services: services.listener,
    };
    const emit = createEmit(listeners, log);
    const maintenance = createMaintenance({
      ...parts,
      retention,
      ...{ verifyMs: agent.verifyInterval, drift: agent.drift, emit },
    });
    const memory = await openAccepted(layout.appState);
    const { follow, followRollout, joinedAt, recheck, blocked, originTurn, bundles } = side;
    const onChange = (ring: () => void) => void side.membership.onChange(ring);
    const shipped = {
      ...parts,
      ...memory,
      follow,
      followRollout,
      joinedAt,
      recheck,
      blocked,
      originTurn,
      bundles,
      rotation: services.rotation,
      emit,
      room,
      renewLock: async () => {},
      maintenance,
      onChange,
    };
    await runAgent(withDefect(shipped, world.planted), ends.signal);
  }

  const server: SimulatedServer = {
    ...{ id, line, journal: () => journal, shown: () => shownBy(linkOf(layout, PATH)) },
    releasesThatFit: Number.POSITIVE_INFINITY,
    releases: () => namesIn(layout.releases),
    get state() {
      return state;
    },
    get awaySince() {
      return awaySince;
    },
    async start() {
      if (state !== 'down') return;
      starts += 1;
      clock = createProcessClock(world.clock);
      shutdown = createShutdown(() => {});
      state = 'up';
      awaySince = null;
      void compose(clock, shutdown);
    },
    kill() {
      if (state === 'down') return;
      clock?.kill();
      [state, awaySince, clock] = ['down', world.clock.monotonic(), null];
    },
    freeze() {
      if (state !== 'up') return;
      clock?.freeze();
      [state, awaySince] = ['frozen', world.clock.monotonic()];
    },
    thaw() {
      if (state !== 'frozen') return;
      [state, awaySince] = ['up', null];
      clock?.thaw();
    },
    async stop() {
      if (state !== 'up') return server.kill();
      await shutdown?.stop();
      server.kill();
    },
  };
  return server;
}

const NO_ROOM: Room = { beforeWrite: async () => {}, giveBack: async () => false };

function sessionWithDefect(session: Session, planted: Planted | undefined): Session {
  switch (planted) {
    case 'coordinators forget the guard of their term':
      return unguarded(session);
    case 'coordinators overlook that ZooKeeper was set back':
      return overlooking(session);
    default:
      return session;
  }
}

/** A refusal of what is older reads as a failure of the commit, and each rollout as if a person had let a loss pass. */
function overlooking(session: Session): Session {
  return {
    ...session,
    get state() {
      return session.state;
    },
    async get(path, call) {
      const node = await session.get(path, call);
      if (!node || node.data.length === 0) return node;
      const data = node.data.toString('utf8').replace('"TARGET_WENT_BACK"', '"HEALTH_FAILED"');
      return { ...node, data: Buffer.from(data.replace('"setBackPassed":false', '"setBackPassed":true')) };
    },
  };
}

function unguarded(session: Session): Session {
  const election = '/election/';
  return {
    ...session,
    get state() {
      return session.state;
    },
    transact: (operations, call) =>
      session.transact(
        operations.filter(({ op, path }) => op !== 'check' || !path.includes(election)),
        call,
      ),
  };
}

function withDefect(parts: AgentParts, planted: Planted | undefined): AgentParts {
  switch (planted) {
    case 'agents go without a permit': {
      const free = (told: RolloutView): RolloutView => ({
        ...told,
        rollout: told.rollout && { ...told.rollout, permits: false },
      });
      const followRollout: AgentParts['followRollout'] = (tell, signal) =>
        parts.followRollout((told) => tell(free(told)), signal);
      return { ...parts, followRollout, recheck: async () => {} };
    }
    case 'agents forget what they accepted':
      return { ...parts, follow: (_, signal) => parts.follow(() => null, signal) };
    default:
      return parts;
  }
}

function reportWithDefect(report: AgentListener, planted: Planted | undefined): AgentListener {
  if (planted !== 'agents call themselves active before they are healthy') return report;
  return {
    ...report,
    working(event) {
      if (event.action === 'health') report.rest?.({ ...event, because: { kind: 'settled' } });
      else report.working?.(event);
    },
  };
}
