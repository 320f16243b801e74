import { createBell } from '../../runtime/bell.ts';
import { classify } from '../../runtime/errors.ts';
import { createRetryLoop } from '../../runtime/retry-loop.ts';
import type { ServiceAccess } from '../access.ts';
import { isRecent, keepCache, readCache, saveList } from '../cache.ts';
import { openConsumer } from '../consumer.ts';
import { type FollowParts, followService } from '../follow-service.ts';
import { isSame, lostLeaver, type ServiceList } from '../view.ts';

/** Brings something outside to a list. Resolves to whether the list may be acknowledged as applied (consumer.ts). */
export type Apply = (list: ServiceList, signal: AbortSignal) => Promise<boolean>;

export interface AppliedParts extends Omit<FollowParts, 'before'> {
  readonly access: ServiceAccess;
  /** Unique among all consumers of the service. */
  readonly id: string;
  readonly what: string;
  readonly apply: Apply;
  /** The directory that keeps the list for the next process; null: none. */
  readonly cacheDirectory: string | null;
}

/** Instances come in groups, and so do ended sessions. One that left in order is waiting, and must not wait longer. */
const QUIET_MS = 2_000;
const LEAVER_QUIET_MS = 50;
const AGAIN_MS = 60_000;

/**
 * Keeps a file, a proxy or the like at the list of a service, for the life of a program, as a consumer that
 * acknowledges. Registers before it reads. Guarantee: that an instance left in order is applied within 50 ms of the
 * last change, everything else at most every 2 s. A failure is retried with the newest list. A consumer that cannot
 * apply acknowledges nothing.
 */
export async function keepApplied(parts: AppliedParts, signal: AbortSignal): Promise<void> {
  const { clock, service, log, session } = parts;
  const bell = createBell(clock);
  const retryLoop = createRetryLoop(parts);
  const consumer = openConsumer(parts);
  const newest: { list: ServiceList | null } = { list: null };
  const pump = consumer.registered().then(async () => {
    const before = await knownBefore(parts);
    for await (const list of followService({ ...parts, before }, signal)) {
      newest.list = list;
      bell.ring();
    }
  });
  let applied: ServiceList | null = null;
  const keeping = keepCache(parts, () => (session.state === 'connected' ? applied : null), signal);
  let at = Number.NEGATIVE_INFINITY;
  let waitMs = AGAIN_MS;
  while (!signal.aborted) {
    await bell.wait(waitMs, signal);
    const { list } = newest;
    waitMs = AGAIN_MS;
    if (list === null || list === applied || signal.aborted) continue;
    // One that came and went since then waits too: the list is the same, and its mark is newer.
    const leaves = applied === null || isSame(applied, list) || lostLeaver(applied, list);
    const quietMs = at + (leaves ? LEAVER_QUIET_MS : QUIET_MS) - clock.monotonic();
    if (quietMs > 0) {
      waitMs = quietMs;
      continue;
    }
    try {
      const acknowledged = await parts.apply(list, signal);
      at = clock.monotonic();
      if (acknowledged && list.mark !== null) consumer.applied(list.mark);
      applied = list;
      retryLoop.wentWell();
      await saveList(parts, list);
    } catch (error) {
      if (signal.aborted) break;
      waitMs = retryLoop.failed(error, { service }, 'cannot apply the list of a service, retrying');
    }
  }
  await keeping;
  await pump.catch((error: unknown) => log.warn({ err: classify(error), service }, 'the list of a service has ended'));
  await consumer.close();
}

async function knownBefore({ cacheDirectory, service, clock }: AppliedParts) {
  const cached = cacheDirectory === null ? null : await readCache(cacheDirectory, service);
  return cached && isRecent(cached, clock.now()) ? cached.instances : null;
}
