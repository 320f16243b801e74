import type { Clock } from '../../runtime/clock.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { type EnsembleTime, readEnsembleTime } from '../../zookeeper/recipes/ensemble-time.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Alive } from '../api/shapes.ts';
import { type ReadParts, repeat } from './keep-znode.ts';

/** How often ZooKeeper has to confirm that it answers, and after how long without an answer the state is stale. */
const ASK_MS = 500;
const STALE_AFTER_MS = 1_200;
/** The clock of this machine drifts by milliseconds meanwhile. */
const TIME_MS = 300_000;

export interface PictureFreshness {
  /** What every answer and every event says about its age. */
  now(): Alive;
  /** Whether `zookeeper` in it differs from the last time that this was asked. */
  hasTurned(): boolean;
}

/**
 * Knows whether what is shown is current: ZooKeeper is asked for one stat twice a second, so an outage shows within two
 * seconds, also of a server that accepts and does not answer. Keeps the time of the ensemble, by a write to `serve`,
 * which has no other purpose; in an app without that znode ages are by the clock of this machine, and the answer says so.
 * @param unread why the state is not shown as it was read, although ZooKeeper answers; null: it is.
 * @param turned called when the connection is lost or found again.
 */
export function keepFreshness(
  parts: ReadParts,
  znodes: Znodes,
  unread: () => string | null,
  turned: () => void,
  signal: AbortSignal,
): PictureFreshness {
  const { session, clock } = parts;
  const startedAt = clock.monotonic();
  let answeredAt: number | null = null;
  let time: EnsembleTime | null = null;
  let last = '';

  async function ask(): Promise<void> {
    await session.exists(znodes.app, { deadlineMs: ASK_MS * 2 });
    const wasStale = staleFor() !== null;
    answeredAt = clock.monotonic();
    if (wasStale) turned();
  }

  /** For how long nothing was confirmed, ms; null: the state is current. */
  function staleFor(): number | null {
    const silentMs = clock.monotonic() - (answeredAt ?? startedAt);
    return session.state === 'connected' && silentMs < STALE_AFTER_MS && unread() === null ? null : silentMs;
  }

  const readTime = async () => {
    time = await readEnsembleTime(session, znodes.serve, clock).catch(() => null);
  };
  void askForever(clock, session, ask, signal);
  void repeat(parts, TIME_MS, readTime, signal);
  session.onState((state) => {
    turned();
    // Another server may lead now, with another clock.
    if (state === 'connected') void readTime();
  });

  const now = (): Alive => {
    const at = (time ?? clock).now();
    const silentMs = staleFor();
    const { state, trouble } = session.vitals();
    const reason = clean(state === 'connected' ? (unread() ?? 'no answer') : (trouble ?? 'not connected'), 300);
    return {
      now: Math.round(at),
      asOf: answeredAt === null || unread() !== null ? null : Math.round(at - (clock.monotonic() - answeredAt)),
      clock: time ? 'ensemble' : 'server',
      zookeeper: { state, stale: silentMs === null ? null : { since: Math.round(at - silentMs), reason } },
    };
  };
  return {
    now,
    hasTurned() {
      const { zookeeper } = now();
      const text = `${zookeeper.state} ${zookeeper.stale === null}`;
      const differs = text !== last;
      last = text;
      return differs;
    },
  };
}

/** Unlike the readers it does not pause after failures: how soon an outage shows depends on it. */
async function askForever(
  clock: Clock,
  session: Session,
  ask: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && session.state !== 'closed') {
    if (session.state === 'connected') await ask().catch(() => {});
    await clock.sleep(ASK_MS, signal).catch(() => {});
  }
}
