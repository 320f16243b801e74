import type { FailpointName } from '../../agent/state/failpoints.ts';
import { parseQuarantine } from '../../schemas/hold.ts';
import { amountOf } from '../../schemas/policy.ts';
import { parseReport } from '../../schemas/report.ts';
import { parseRollout, type Rollout } from '../../schemas/rollout.ts';
import { targetVersionOf } from '../../schemas/target.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';
import type { FakeServer } from '../support/zookeeper/fake/server.ts';
import type { Change } from '../support/zookeeper/fake/wire.ts';
import type { SimulatedServer } from './server.ts';

export interface Checker {
  /** What was broken so far, in words; a run without any has kept every promise. */
  readonly violations: readonly string[];
  /** Who writes in this session is a person, whose words need no guard. */
  isPerson(sessionId: bigint): void;
  atFailpoint(server: SimulatedServer, name: FailpointName): void;
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
 * 5. In the end a rollout is proven, rolled back, failed, aborted, halted or paused, and says why; a proven one is shown
 *    by everybody, and who does not show what config says has said why.
 */
export function createChecker(zookeeper: FakeServer, znodes: Znodes, clock: VirtualClock, nature: Nature): Checker {
  const people = new Set<bigint>();
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
    const byPerson = people.has(sessionId);
    noteQuarantine(byPerson);
    noteRollout();
    if (!byPerson && changes.some(isOrder)) checkOrder(changes);
  });

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

  function noteQuarantine(byPerson: boolean): void {
    const data = zookeeper.peek(znodes.quarantine)?.data ?? Buffer.alloc(0);
    const now = new Set(parseQuarantine(data).value.map((each) => each.commitId as string));
    for (const commitId of quarantinedAt.keys()) if (!now.has(commitId)) quarantinedAt.delete(commitId);
    for (const commitId of now) {
      if (quarantinedAt.has(commitId)) continue;
      quarantinedAt.set(commitId, clock.monotonic());
      const unjust = !byPerson && nature.kindOf(commitId) === 'good' && !nature.troubleSince(judged.at);
      if (unjust) violate(`${commitId.slice(0, 7)} is good, and is put into quarantine`);
    }
  }

  function swapping(server: SimulatedServer): void {
    const progress = server.journal()?.progress;
    const record = rollout();
    if (!progress || progress.commitId !== current()) return;
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
    if (!policy) return Number.POSITIVE_INFINITY;
    const all = zookeeper.namesBelow(znodes.agents).length;
    const most = Math.max(1, amountOf(policy.maxParallel, all));
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
    rollout,
    current,
    isOver: () => whyNotOver(rollout()) === null,
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
        if (about?.activeCommit !== shows) {
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

/** Of the policies of these runs. */
export const DEADLINE_MS = 60_000;
/** The longest soak of these runs, longer than what sickens takes to be sick and to be found out. */
export const SOAK = '15s';
