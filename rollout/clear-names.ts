import { createEnrolmentReader } from '../fleet/enrolment/enrolment.ts';
import { createTrust } from '../fleet/enrolment/trust.ts';
import { createBell } from '../runtime/bell.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { createRetryLoop } from '../runtime/retry-loop.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { followChildren } from '../zookeeper/recipes/follow-node.ts';
import { readListed } from '../zookeeper/recipes/read-children.ts';
import type { Operation, Session } from '../zookeeper/session.ts';
import type { Leadership } from './leadership.ts';

interface ClearNamesParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * New names are checked at once, and all names at this interval, because one may go and come back between two looks.
 */
const ALL_MS = 30_000;
/** The pause before a name is freed again; it doubles each time, up to `ALL_MS`. */
const AGAIN_MS = 1_000;

/**
 * Keeps the names of enrolled agents free for them: while enrolment is closed, the leader removes each node below
 * `online` that has such a name and was not made by that agent. So the agents' shared credential is not enough to keep
 * an agent offline. While enrolment is open, this only reads one small node at each change and removes nothing.
 *
 * A name that is taken repeatedly is freed less and less often: the other client may be an agent with a new disk, which
 * is not entered yet and comes back after each removal. An enrolled agent is meanwhile online under its second name. A
 * name that cannot be freed keeps no other name from its agent. Guarantee: each removal names the term, and the node
 * was not the agent's own when it was read. Not guaranteed: if the agent's own presence replaces that node at that very
 * moment, it may be removed; the agent then creates it again.
 */
export async function clearNames(parts: ClearNamesParts, leadership: Leadership): Promise<void> {
  const { session, znodes, clock, random, log } = parts;
  const { signal } = leadership.term;
  const bell = createBell(clock);
  const at = { session, path: znodes.online, clock, random, log, failing: 'cannot watch a znode, retrying' };
  const following = drain(followChildren(at, bell.ring, signal));
  const retryLoop = createRetryLoop({ clock, random, log });
  const look = lookAtNames(parts, leadership);
  while (!signal.aborted) {
    try {
      const waitMs = await look();
      retryLoop.wentWell();
      await bell.wait(waitMs, signal);
    } catch (error) {
      if (signal.aborted) break;
      const pause = retryLoop.failed(error, { path: znodes.online }, 'cannot keep the names of agents free, retrying');
      await clock.sleep(pause, signal).catch(() => {});
    }
  }
  await following;
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

/** Each look resolves to how long there is nothing to do unless a name comes or goes. */
function lookAtNames(parts: ClearNamesParts, { term }: Leadership): () => Promise<number> {
  const { session, znodes, clock, log } = parts;
  const readEnrolment = createEnrolmentReader(session, znodes);
  const trustIn = createTrust();
  const pace = createPace(clock);
  let known = new Set<string>();
  let allAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const enrolment = await readEnrolment();
    if (enrolment.isOpen) return ALL_MS;
    const trust = trustIn(enrolment);
    const present = ((await session.children(znodes.online)) ?? []).filter(trust.names);
    const all = clock.monotonic() - allAt >= ALL_MS;
    if (all) allAt = clock.monotonic();
    const names = (name: string) => (all || !known.has(name)) && pace.leftMs(name) === 0;
    const { nodes } = await readListed(session, znodes.online, present, { names });
    for (const [agentId, node] of nodes) {
      if (trust.presence(agentId, node)) pace.isOwn(agentId);
      else {
        const remove = { op: 'remove', path: znodes.presence(agentId), version: node.stat.version } as const;
        log.warn({ code: 'IMPOSTOR', agent: agentId }, await removed(session, [term.guard, remove]));
        pace.freed(agentId);
      }
    }
    // Set at the end: after a failure, the same names are checked again.
    known = new Set(present.filter((name) => pace.leftMs(name) === 0));
    return Math.min(ALL_MS, ...present.map(pace.leftMs).filter((ms) => ms > 0));
  };
}

/** The result, in words for the log. If there are nodes below it, only their creator can remove them. */
async function removed(session: Session, operations: readonly Operation[]): Promise<string> {
  try {
    await session.transact([...operations]);
  } catch (error) {
    if (isCode(error, 'NOT_EMPTY'))
      return 'a presence that its agent did not make cannot be removed: nodes lie below it';
    if (!isCode(error, 'NO_NODE', 'BAD_VERSION')) throw error;
  }
  return 'removed a presence that its agent did not make';
}

/** Limits how often a name is freed. */
function createPace(clock: Pick<Clock, 'monotonic'>) {
  const freed = new Map<string, { readonly pauseMs: number; readonly until: number }>();
  return {
    leftMs: (name: string) => Math.max(0, (freed.get(name)?.until ?? 0) - clock.monotonic()),
    freed(name: string) {
      const pauseMs = Math.min(ALL_MS, (freed.get(name)?.pauseMs ?? AGAIN_MS / 2) * 2);
      freed.set(name, { pauseMs, until: clock.monotonic() + pauseMs });
    },
    isOwn: (name: string) => freed.delete(name),
  };
}
