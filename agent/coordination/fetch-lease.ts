import { spread } from '../../runtime/backoff.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { RepositoryUrl } from '../../schemas/values.ts';
import { orAborted } from '../../zookeeper/abortable.ts';
import { UNTIL_ANSWERED } from '../../zookeeper/recipes/queue-node.ts';
import { acquireLease } from '../../zookeeper/recipes/semaphore.ts';
import type { AclEntry, Session } from '../../zookeeper/session.ts';

interface FetchLeaseParts {
  readonly session: Session;
  readonly path: string;
  /** The znode whose children are the online agents. */
  readonly online: string;
  readonly acl: readonly AclEntry[];
  /** How many agents may use the origin at a time. Called at each fetch; null: this agent does not queue. */
  readonly leases: () => number | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** A turn at the origin, to be released. */
export interface OriginTurn {
  /** Never throws. */
  release(): Promise<void>;
}

/** Taken before each fetch. Rejects only with the signal's reason. */
export type TakeOriginTurn = (url: RepositoryUrl, signal: AbortSignal) => Promise<OriginTurn>;

const NO_TURN: OriginTurn = { release: async () => {} };
export const noOriginTurn: TakeOriginTurn = async () => NO_TURN;

/** How long ZooKeeper may be away before an agent fetches without a lease. */
const WITHOUT_MS = 5_000;
/** How long an agent waits for its turn while others hold all leases: a dead or hostile holder must not stop it. */
const LONGEST_MS = 30_000;
/** After this time a waiting agent logs what it waits for. */
const WORD_MS = 2_000;

/**
 * Queues for a lease on the origin. The lease protects a git server and is never worth a failed deployment: while
 * ZooKeeper is away or refuses, and after 30 s (with jitter) in the queue, the agent fetches without one. An agent does
 * not queue if the origin is a directory, whose git runs on this machine, or if no more agents are online than there
 * are leases. While a fleet starts up, those first agents fetch beside the holders of leases. Agents that have the
 * commit already do not fetch.
 */
export function createFetchLease(parts: FetchLeaseParts): TakeOriginTurn {
  const { session, path, online, acl, leases, clock, random, log } = parts;
  return async (url, signal) => {
    const most = leases();
    if (most === null || url.startsWith('file:')) return NO_TURN;
    const tired = new AbortController();
    const asking = queue(most, AbortSignal.any([signal, tired.signal]));
    const watched = whenAway(session, clock, () => tired.abort(new Error('ZooKeeper is away')));
    const longest = spread(LONGEST_MS, 0.3, random);
    const cancelLongest = clock.after(longest, () => tired.abort(new Error('other agents hold all leases')));
    const cancelWord = clock.after(WORD_MS, () => log.info({ leases: most }, 'waiting for a turn at the origin'));
    try {
      return await asking;
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: classify(error) }, 'no lease on the origin, fetching without one');
      return NO_TURN;
    } finally {
      watched();
      cancelLongest();
      cancelWord();
    }
  };

  async function queue(most: number, both: AbortSignal): Promise<OriginTurn> {
    const all = await orAborted(session.exists(online, UNTIL_ANSWERED), both).catch(() => null);
    both.throwIfAborted();
    if (all && all.numChildren <= most) return NO_TURN;
    return acquireLease(session, { path, acl, leases: most, signal: both });
  }
}

/**
 * Calls `action` if the session stays disconnected. While it is connected, the queue moves: others are at the origin,
 * and each waiting agent gets its turn. The returned function cancels it.
 */
function whenAway(session: Session, clock: Clock, action: () => void): () => void {
  let cancel = () => {};
  const look = () => {
    cancel();
    cancel = session.state === 'connected' ? () => {} : clock.after(WITHOUT_MS, action);
  };
  const unlisten = session.onState(look);
  look();
  return () => {
    unlisten();
    cancel();
  };
}
