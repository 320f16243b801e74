import { normalize } from 'node:path';
import type { FailpointName } from '../../agent/state/failpoints.ts';
import { emptyJournal } from '../../agent/state/journal.ts';
import { parseQuarantine } from '../../schemas/hold.ts';
import { amountOf, isTogether } from '../../schemas/policy.ts';
import { parseReport } from '../../schemas/report.ts';
import { parseRollout, type Rollout } from '../../schemas/rollout.ts';
import { targetVersionOf } from '../../schemas/target.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';
import type { FakeServer } from '../support/zookeeper/fake/server.ts';
import type { Change } from '../support/zookeeper/fake/wire.ts';
import { KEEP_RELEASES, REPOSITORY, type SimulatedServer } from './server.ts';

export interface Checker {
  /** What was broken so far, in words; a run without any has kept every promise. */
  readonly violations: readonly string[];
  /** Who writes in this session is a person, whose words need no guard. */
  isPerson(sessionId: bigint): void;
  /** Who writes in this session has no right to: what they do is no defect of ours, what machines do about it is. */
  isStranger(sessionId: bigint): void;
  /** ZooKeeper has other data now: of an earlier moment, or none. */
  lostData(servers: readonly SimulatedServer[]): void;
  /** Whether data were lost, and no person has said since what should run. */
  awaitsPerson(): boolean;
  /** A report under this server's name is not its own. */
  liedAbout(server: SimulatedServer): void;
  atFetch(server: SimulatedServer, url: string): void;
  atTouch(servers: readonly SimulatedServer[], path: string): void;
  atFailpoint(server: SimulatedServer, name: FailpointName): void;
  /** Its services are out of their lists, or in, when they must not be. */
  atServices(server: SimulatedServer, words: string): void;
  /** When everything has healed and nothing moves any more. */
  atEnd(servers: readonly SimulatedServer[]): void;
  /** The rollout record as it is. */
  rollout(): Rollout | null;
  current(): string | null;
  /** Whether the rollout of what config holds has come to an end, or to a halt. */
  isOver(): boolean;
}

/** What only the one who made it up knows of a commit and its fleet. */
export interface Nature {
  /** Null: it was not made for this run. */
  readonly kindOf: (commitId: string) => CommitKind | null;
  /** Whether a server has been in trouble since, or still is: whoever judges a commit by it cannot know better. */
  readonly troubleSince: (at: number) => boolean;
}

/** `flaky`: sick on one server. `sickens`: well at first, and sick everywhere some seconds later. */
export type CommitKind = 'good' | 'bad' | 'flaky' | 'sickens';

/** What marks a report that is not the agent's own. */
export const LIE = 'lie';

/** Half of the longest round trip: by so much an agent may be wrong about the time. */
const CLOCK_ERROR_MS = 250;

/** An agent reads the quarantine right before its swap; this is how long that answer may be on its way. */
const READ_BEFORE_MS = 5_000;

/**
 * Watches a simulated fleet from where nothing can be hidden: every accepted write, and every move of a link.
 *
 * 1. Whatever an agent writes about a rollout (a permit, a wave, an outcome of it, a quarantine) carries the guard of the
 *    newest term, and nothing of an older one is accepted after its successor's first write.
 * 2. Never more agents between swap and health than the policy allows.
 * 3. A quarantined commit is not activated, and a good one is not put there where no server was in trouble.
 * 4. What makes servers sick before its soak is over is not proven.
 * 5. After ZooKeeper lost data, no machine publishes while an online agent accepted what was lost, and no agent begins what
 *    is older than what it accepted, before a
 *    person has said what should run.
 * 6. A machine puts a commit into quarantine only for failures that speak about the commit, or for lateness.
 * 7. Nothing but the one allowed repository is fetched, and nothing is written, linked or removed outside an agent's own
 *    root and state.
 * 8. A server is out of its services from leaving to the end of the checks, and at no other time.
 * 9. In the end a rollout is proven, rolled back, failed, aborted, halted or paused, and says why; a proven one is shown
 *    by everybody, and who does not show what config says has said why.
 */
export function createChecker(zookeeper: FakeServer, znodes: Znodes, clock: VirtualClock, nature: Nature): Checker {
  const people = new Set<bigint>();
  const strangers = new Set<bigint>();
  const liars = new Set<string>();
  /** What agents had accepted of what ZooKeeper has lost since, until a person says what should run. */
  const lost = new Map<string, string>();
  let awaitsPerson = false;
  const instants: { at: number; targetVersion: string; members: readonly string[] }[] = [];
  const ready = new Set<string>();
  let all: readonly SimulatedServer[] = [];
  let mostAgents = 0;
  const violations: string[] = [];
  const inFlight = new Map<string, { readonly server: SimulatedServer; readonly targetVersion: string }>();
  const quarantinedAt = new Map<string, number>();
  let newestTerm = 0n;
  let judged = { targetVersion: '', at: 0, proven: false };
  const violate = (words: string) => void violations.push(`${Math.round(clock.monotonic())} ms: ${words}`);
  let known: { mzxid: bigint; rollout: Rollout | null } = { mzxid: -1n, rollout: null };
  /** Looked at after every step of the clock. */
  const rollout = (): Rollout | null => {
    const node = zookeeper.peek(znodes.rollout);
    if (node && node.mzxid !== known.mzxid) known = { mzxid: node.mzxid, rollout: parseRollout(node.data) };
    return node ? known.rollout : null;
  };
  const config = () => zookeeper.peek(znodes.config);
  const versionOfConfig = () => {
    const node = config();
    return node ? targetVersionOf(node) : null;
  };
  const current = (): string | null => {
    const data = config()?.data ?? Buffer.alloc(0);
    return data.length === 0 ? null : (JSON.parse(data.toString('utf8')) as { commitId: string }).commitId;
  };

  zookeeper.onWrite((sessionId, changes) => {
    const byMachine = !people.has(sessionId) && !strangers.has(sessionId);
    if (byMachine) checkNotBack(changes);
    noteQuarantine(byMachine);
    noteRollout();
    noteReady(changes);
    if (!strangers.has(sessionId)) noteInstant();
    if (byMachine && changes.some(isOrder)) checkOrder(changes);
    if (people.has(sessionId)) noteWord(changes);
  });

  /** What a person publishes counts from then on, and so does a person's word that lets the loss pass. */
  function noteWord(changes: readonly Change[]): void {
    const published = changes.some(({ op, path }) => op === 'set' && path === znodes.config);
    const passed = changes.some(({ path }) => path === znodes.rollout) && rollout()?.setBackPassed === true;
    if (!published && !passed) return;
    awaitsPerson = false;
    lost.clear();
  }

  /** Accepted what was lost, and can say so: what nobody online has seen no machine can know. */
  const knowsOfLoss = ({ id, state, line }: SimulatedServer) => lost.has(id) && state === 'up' && line.passes;

  function checkNotBack(changes: readonly Change[]): void {
    if (!awaitsPerson || !all.some(knowsOfLoss)) return;
    const published = changes.filter(({ op, path }) => op !== 'check' && path === znodes.config);
    if (published.length > 0) violate('a machine publishes after ZooKeeper lost data, and no person has spoken');
  }

  const isOrder = ({ op, path }: Change): boolean =>
    op !== 'check' && (path.startsWith(`${znodes.permits}/`) || path === znodes.rollout || path === znodes.quarantine);

  function checkOrder(changes: readonly Change[]): void {
    const guard = changes.find(({ op, path }) => op === 'check' && path.startsWith(`${znodes.election}/`));
    const pinned = changes.some(({ op, path }) => path === znodes.rollout && (op === 'check' || op === 'set'));
    if (!guard || !pinned) {
      violate(`an order without guard or rollout: ${changes.map((each) => each.path)}`);
      return;
    }
    const record = rollout();
    const fence = zookeeper.peek(guard.path)?.czxid;
    if (fence === undefined) {
      violate(`an order whose term is over was accepted: ${guard.path}`);
      return;
    }
    if (record && record.leader?.czxid !== fence.toString(16)) violate(`an order of a term that rollout does not name`);
    if (fence < newestTerm) violate(`an order of an older term: ${fence} after ${newestTerm}`);
    if (fence > newestTerm) newestTerm = fence;
  }

  /** Which members an instant clears, and when; the newest first. */
  function noteInstant(): void {
    const record = rollout();
    const { activateAt = null, targetVersion = '', members = [] } = record ?? {};
    if (activateAt === null || instants[0]?.at === activateAt.at) return;
    instants.unshift({ at: activateAt.at, targetVersion, members });
    const early = members.filter((id) => !ready.has(`${id} ${targetVersion}`) && !liars.has(id));
    if (early.length > 0) violate(`an instant is named, and ${early} were never ready`);
  }

  /** Who was ready for what, by the agents' own reports. */
  function noteReady(changes: readonly Change[]): void {
    for (const { path } of changes) {
      if (!path.startsWith(`${znodes.agents}/`)) continue;
      const said = parseReport(zookeeper.peek(path)?.data ?? Buffer.alloc(0));
      if (said?.phase === 'awaiting' || said?.phase === 'active') ready.add(`${said.agentId} ${said.targetVersion}`);
    }
  }

  function checkInstant({ id }: SimulatedServer, targetVersion: string): void {
    const own = instants.filter((each) => each.targetVersion === targetVersion && each.members.includes(id));
    const earliest = Math.min(...own.map(({ at }) => at));
    if (own.length === 0) violate(`${id} swaps without an instant`);
    else if (clock.now() < earliest - CLOCK_ERROR_MS)
      violate(`${id} swaps ${earliest - clock.now()} ms before its instant`);
  }

  /** When each rollout began, and whether its end was deserved. */
  function noteRollout(): void {
    const record = rollout();
    if (!record || record.targetVersion === judged.targetVersion) {
      noteEnd(record);
      return;
    }
    judged = { targetVersion: record.targetVersion, at: clock.monotonic(), proven: false };
    noteEnd(record);
  }

  function noteEnd(record: Rollout | null): void {
    if (record?.state !== 'proven' || judged.proven) return;
    judged = { ...judged, proven: true };
    const soaks = record.permits && record.policy?.soak === SOAK;
    const spared = record.promoted !== null || record.excused.length > 0;
    if (soaks && !spared && record.base && nature.kindOf(record.base.commitId) === 'sickens') {
      violate(`${record.base.commitId.slice(0, 7)}, which makes servers sick in its soak, is proven`);
    }
  }

  /** By what the agents themselves report, not by the record. */
  function checkReasons(commitId: string): void {
    const record = rollout();
    for (const { agentId, code } of record?.failures ?? []) {
      if (LATE.includes(code) || liars.has(agentId)) continue;
      const said = parseReport(zookeeper.peek(znodes.report(agentId))?.data ?? Buffer.alloc(0));
      const about = said?.targetVersion === record?.targetVersion ? said?.error?.code : undefined;
      if (about !== undefined && OF_COMMIT.includes(about)) continue;
      violate(`${commitId.slice(0, 7)} is put into quarantine for ${about ?? code} on ${agentId}`);
    }
  }

  function noteQuarantine(byMachine: boolean): void {
    const data = zookeeper.peek(znodes.quarantine)?.data ?? Buffer.alloc(0);
    const now = new Set(parseQuarantine(data).value.map((each) => each.commitId as string));
    for (const commitId of quarantinedAt.keys()) if (!now.has(commitId)) quarantinedAt.delete(commitId);
    for (const commitId of now) {
      if (quarantinedAt.has(commitId)) continue;
      quarantinedAt.set(commitId, clock.monotonic());
      if (byMachine) checkReasons(commitId);
      const unjust = byMachine && nature.kindOf(commitId) === 'good' && !nature.troubleSince(judged.at);
      if (unjust) violate(`${commitId.slice(0, 7)} is good, and is put into quarantine`);
    }
  }

  function checkNotOlder(server: SimulatedServer, targetVersion: string | undefined): void {
    const accepted = lost.get(server.id);
    if (accepted === undefined || accepted === targetVersion) return;
    violate(`${server.id} accepted ${accepted}, and goes to ${targetVersion} after ZooKeeper lost data`);
  }

  function swapping(server: SimulatedServer): void {
    const progress = server.journal()?.progress;
    const record = rollout();
    checkNotOlder(server, progress?.targetVersion);
    if (!progress || progress.commitId !== current() || liars.has(server.id)) return;
    const since = quarantinedAt.get(progress.commitId);
    if (since !== undefined && clock.monotonic() - since > READ_BEFORE_MS) {
      violate(`${server.id} activates ${progress.commitId.slice(0, 7)}, which is in quarantine`);
    }
    const { targetVersion } = progress;
    // Who was away, or serves nothing, goes to what is proven without leave, also where that is what rolls out.
    const homeless = server.shown() === null || server.journal()?.accepted?.late;
    if (record?.base?.commitId === progress.commitId && homeless) return;
    inFlight.set(server.id, { server, targetVersion });
    const follows = record?.targetVersion === targetVersion && record.permits && record.state !== 'proven';
    if (follows && isTogether(record.policy)) checkInstant(server, targetVersion);
    const limit = follows ? limitOf(record) : null;
    const going = [...inFlight.values()].filter((each) => each.targetVersion === targetVersion);
    // Who is gone beyond the deadline has failed, and its place is taken by others.
    const counted = going
      .map((each) => each.server)
      .filter(({ awaySince }) => awaySince === null || clock.monotonic() - awaySince < DEADLINE_MS);
    if (limit !== null && counted.length > limit) {
      violate(`${counted.map((each) => each.id)} are under way at once, the policy allows ${limit}`);
    }
  }

  function limitOf({ policy, wave, canary }: Rollout): number {
    if (!policy || isTogether(policy)) return Number.POSITIVE_INFINITY;
    const known = [...zookeeper.namesBelow(znodes.agents), ...zookeeper.namesBelow(znodes.online)];
    // Some of them may be gone since the permits were counted.
    mostAgents = Math.max(mostAgents, new Set(known).size);
    const most = Math.max(1, amountOf(policy.maxParallel, mostAgents));
    return wave === 0 && canary.length > 0 ? Math.max(canary.length, most) : most;
  }

  function whyNotOver(record: Rollout | null): string | null {
    if (!record || !config()?.data.length) return 'there is no rollout in the end';
    if (record.targetVersion !== versionOfConfig()) return 'the rollout is not about what config holds';
    return record.state === 'running' ? `it still runs: ${JSON.stringify(record)}` : null;
  }

  return {
    violations,
    isPerson: (sessionId) => void people.add(sessionId),
    isStranger: (sessionId) => void strangers.add(sessionId),
    awaitsPerson: () => awaitsPerson,
    liedAbout({ id }) {
      liars.add(id);
      inFlight.delete(id);
    },
    lostData(servers) {
      awaitsPerson = true;
      all = servers;
      known = { mzxid: -1n, rollout: null };
      newestTerm = 0n;
      judged = { targetVersion: '', at: clock.monotonic(), proven: false };
      const has = config()?.mzxid ?? 0n;
      for (const { id, journal } of servers) {
        const accepted = journal()?.accepted;
        if (accepted && BigInt(accepted.mzxid) > has) lost.set(id, accepted.targetVersion);
        // A later restore may bring back what an earlier one lost.
        else lost.delete(id);
      }
      noteQuarantine(false);
    },
    atFetch(server, url) {
      if (url !== REPOSITORY) violate(`${server.id} fetches ${url}`);
    },
    atTouch(servers, path) {
      const isOwn = ({ id }: SimulatedServer) => OWN.some((own) => path.startsWith(`/${id}/${own}`));
      if (path !== normalize(path) || !servers.some(isOwn)) violate(`${path} is changed`);
    },
    rollout,
    current,
    isOver: () => whyNotOver(rollout()) === null,
    atServices: ({ id }, words) => violate(`${id} ${words}`),
    atFailpoint(server, name) {
      if (name === 'swap.intended') swapping(server);
      if (name === 'settle.remembered' || name === 'back.remembered' || name === 'revert.remembered') {
        inFlight.delete(server.id);
      }
    },
    atEnd(servers) {
      const record = rollout();
      const wanted = current() ?? '';
      const unfit = whyNotOver(record);
      if (!record || unfit !== null) {
        violate(unfit ?? 'there is no rollout in the end');
        return;
      }
      if (record.state === 'paused' && !record.paused?.by) violate('paused by nobody');
      if (['halted', 'failed', 'aborted'].includes(record.state) && record.reason === '')
        violate(`${record.state}, and no word why`);
      if (record.state === 'rolled-back') violate('the record is rolled back, and config holds what it was about');
      for (const server of servers) {
        const report = parseReport(zookeeper.peek(znodes.report(server.id))?.data ?? Buffer.alloc(0));
        const shows = server.shown();
        const about = report?.targetVersion === record.targetVersion ? report : null;
        if (report?.agentVersion === LIE) continue;
        const idle = about?.error?.code === 'NO_SPACE' ? idleReleases(server) : [];
        if (idle.length > 0) {
          violate(`${server.id} has no room, and keeps ${idle.map((commitId) => commitId.slice(0, 7))} for nothing`);
        } else if (about?.activeCommit !== shows) {
          violate(`${server.id} shows ${shows?.slice(0, 7)} and reports ${JSON.stringify(report)}`);
        } else if (shows !== wanted && about.error === null && about.waitingFor === null) {
          violate(`${server.id} shows ${shows?.slice(0, 7)} instead of ${wanted.slice(0, 7)} and does not say why`);
        } else if (record.state === 'proven' && shows !== wanted && about.error === null) {
          violate(`${server.id} shows ${shows?.slice(0, 7)} after ${wanted.slice(0, 7)} was proven`);
        }
      }
    },
  };
}

/**
 * On its disk though no link shows it, it is not what the agent goes to or could go back to, and nobody asked to keep
 * it; by hand, since the rule may be what is wrong.
 */
function idleReleases(server: SimulatedServer): string[] {
  const { links, base, progress, pendingActivation, releases } = server.journal() ?? emptyJournal;
  const well = Object.keys(releases).filter((commitId) => releases[commitId]?.endedWell);
  const newest = well.sort((a, b) => (releases[b]?.order ?? 0) - (releases[a]?.order ?? 0)).slice(0, KEEP_RELEASES);
  const previous = Object.values(pendingActivation).map((pending) => pending.previous);
  const needed = new Set([...Object.values(links), ...previous, ...newest, base?.commitId, progress?.commitId]);
  return server.releases().filter((commitId) => !needed.has(commitId));
}

/** Codes of the agents of these runs that speak about the commit; by hand, since the table may be what is wrong. */
const OF_COMMIT: readonly string[] = ['HEALTH_FAILED', 'ACTIVATE_FAILED'];
/** What the leader says of agents that were not done in time. */
const LATE: readonly string[] = ['DEADLINE', 'GONE'];
const OWN = ['root', 'state'];

/** Of the policies of these runs. */
export const DEADLINE_MS = 60_000;
/** The longest soak of these runs, longer than what sickens takes to be sick and to be found out. */
export const SOAK = '15s';
