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
import type { Session } from '../zookeeper/session.ts';
import type { Leadership } from './leadership.ts';

interface ClearNamesParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Names that came are looked at at once; all of them so often, since one may go and come between two looks. */
const ALL_MS = 30_000;

/**
 * Keeps the names of enrolled agents free for them: while enrolment is closed, the leader removes each node below
 * `online` that has such a name and was not made by that agent. So the common credential of the agents is not enough to
 * keep an agent offline. Guarantee: each removal names the term, and nothing is removed that its agent signed
 * for the session that holds it. While enrolment is open it reads one small node at each change, and removes nothing.
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
      await look();
      retryLoop.wentWell();
      await bell.wait(ALL_MS, signal);
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

function lookAtNames({ session, znodes, clock, log }: ClearNamesParts, { term }: Leadership): () => Promise<void> {
  const readEnrolment = createEnrolmentReader(session, znodes);
  const trustIn = createTrust();
  let known = new Set<string>();
  let allAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const enrolment = await readEnrolment();
    if (enrolment.isOpen) return;
    const trust = trustIn(enrolment);
    const present = ((await session.children(znodes.online)) ?? []).filter(trust.names);
    const all = clock.monotonic() - allAt >= ALL_MS;
    if (all) allAt = clock.monotonic();
    const names = (name: string) => all || !known.has(name);
    const { nodes } = await readListed(session, znodes.online, present, { names });
    known = new Set(present);
    for (const [agentId, node] of nodes) {
      if (trust.presence(agentId, node)) continue;
      // It may come again at once: then it is looked at again at once.
      known.delete(agentId);
      const remove = { op: 'remove', path: znodes.presence(agentId), version: node.stat.version } as const;
      await session.transact([term.guard, remove]).catch((error: unknown) => {
        if (!isCode(error, 'NO_NODE', 'BAD_VERSION')) throw error;
      });
      log.warn({ code: 'IMPOSTOR', agent: agentId }, 'removed a presence that its agent did not make');
    }
  };
}
