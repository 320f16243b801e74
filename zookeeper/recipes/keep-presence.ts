import { type Backoff, fullJitter } from '../../runtime/backoff.ts';
import { createRetryLoop, type RetryLoop } from '../../runtime/retry-loop.ts';
import { isCode, ZooKeeperError } from '../errors.ts';
import type { Snapshot } from '../session.ts';
import { enterContested, enterRefused, enterState, type KeptPresence } from './membership-states.ts';
import { isContested, isTaken, readHolder } from './presence-node.ts';

/**
 * Watches the node of a membership until it leaves or the session is closed, and creates it, takes it over, or enters
 * the state that says why not. Never throws: a failure is retried with backoff, and at once after a reconnect.
 */
export async function keepPresence(member: KeptPresence): Promise<void> {
  const { session, stop, options } = member;
  const { clock, random } = options;
  const retryLoop = createRetryLoop(options);
  let attempt = 0;
  while (!stop.signal.aborted) {
    member.round = new AbortController();
    const signal = AbortSignal.any([stop.signal, member.round.signal]);
    try {
      for await (const snapshot of session.watch(options.path, { signal })) {
        await look(member, snapshot);
        if (member.problem !== null) continue;
        retryLoop.wentWell();
        attempt = 0;
      }
      // A new connected period: judge the node again, even if it has not changed.
      if (session.state === 'closed') return;
    } catch (error) {
      if (stop.signal.aborted || session.state === 'closed') return;
      if (!(await isShut(member, error))) fail(member, error, retryLoop);
      // A new connection ends the wait, because it may end the problem.
      member.round = new AbortController();
      const woken = AbortSignal.any([stop.signal, member.round.signal]);
      await clock.sleep(fullJitter(AGAIN, attempt++, random), woken).catch(() => {});
    }
  }
}

const AGAIN: Backoff = { firstMs: 200, maxMs: 15_000 };

/** Whether the node at our place is contested and we may not even read it. Then we check again periodically. */
async function isShut(member: KeptPresence, error: unknown): Promise<boolean> {
  const { session, options } = member;
  if (!isCode(error, 'NO_AUTH')) return false;
  const stat = await session.exists(options.path).catch(() => null);
  const found = stat && { data: Buffer.alloc(0), stat };
  if (found === null || !isContested(options, found)) return false;
  enterContested(member, readHolder(found.data));
  return true;
}

/** A failure that the next attempt settles is no problem. */
function fail(member: KeptPresence, error: unknown, retryLoop: RetryLoop): void {
  const { path } = member.options;
  if (isCode(error, 'DEADLINE', 'CONNECTION_LOSS', 'NODE_EXISTS')) return;
  enterState(member, 'joining', null, error instanceof ZooKeeperError ? error : null);
  retryLoop.failed(error, { path }, 'cannot show that this process is online, retrying');
}

/** Judges the node once and does what is needed. Our own writes ring the watch, which leads to the next judgement. */
async function look(member: KeptPresence, snapshot: Snapshot): Promise<void> {
  const { session, options } = member;
  const connection = await session.connected(member.stop.signal);
  member.confirmed = undefined;
  if (snapshot.exists && snapshot.stat.ephemeralOwner === connection.sessionId) {
    member.confirmed = { connection, czxid: snapshot.stat.czxid };
    member.newest = snapshot.stat.czxid;
    return enterState(member, 'held', null);
  }
  const { path, acl } = options;
  const create = {
    op: 'create',
    path,
    data: options.data(connection.sessionId),
    mode: 'ephemeral',
    ...(acl ? { acl } : {}),
  } as const;
  if (!snapshot.exists) {
    await session.transact([create]);
    return;
  }
  const found = readHolder(snapshot.data);
  if (isContested(options, snapshot)) return enterContested(member, found);
  if (isTaken(options, member.newest, found, snapshot.stat.czxid)) return enterRefused(member, found);
  // Ours, but of another session, which ends or has ended: that of an earlier process of this machine, or of this
  // process.
  const { version, ephemeralOwner } = snapshot.stat;
  await session.transact([{ op: 'remove', path, version }, create]).catch((error: unknown) => {
    // If we may not delete presences, the node goes with its session; then the watch rings.
    if (!isCode(error, 'NO_AUTH')) throw error;
    if (ephemeralOwner === 0n) return enterContested(member, found);
    if (member.holder === null) options.log.info({ path }, 'waiting until the session of an earlier process ends');
    enterState(member, 'joining', found);
  });
}
