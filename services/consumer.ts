import { createBell } from '../runtime/bell.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { createRetryLoop } from '../runtime/retry-loop.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ANY_VERSION, type Session } from '../zookeeper/session.ts';
import type { ServiceAccess } from './access.ts';
import { encodeConsumer, serviceZnodes } from './contract.ts';

/**
 * Tells instances that leave a service which list this consumer has applied. *Applied* means that no new request is
 * written to an instance that the list does not name, on any connection. Guarantee: `registered` resolves once the node
 * of this consumer exists, so a list that is read afterwards reflects every instance that did not wait for it. If the
 * service does not exist yet, or ZooKeeper refuses the node, it resolves too; this consumer is then like any reader
 * that does not register, which a leaving instance covers by time.
 */
export interface ConsumerSide {
  registered(): Promise<void>;
  applied(mark: bigint): void;
  close(): Promise<void>;
}

interface ConsumerParts {
  readonly session: Session;
  readonly service: string;
  readonly access: ServiceAccess;
  /** Unique among all consumers. */
  readonly id: string;
  /** A description for people. */
  readonly what: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const TICK_MS = 30_000;

export function openConsumer(parts: ConsumerParts): ConsumerSide {
  const { session, clock } = parts;
  const bell = createBell(clock);
  const stop = new AbortController();
  const told = { mark: 0n };
  let settle = () => {};
  const first = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const offState = session.onState((state) => {
    if (state === 'connected' || state === 'closed') bell.ring();
  });
  const kept = keep();

  async function keep(): Promise<void> {
    const retryLoop = createRetryLoop(parts);
    while (!stop.signal.aborted && session.state !== 'closed') {
      let waitMs = TICK_MS;
      try {
        await tell(parts, told.mark, stop.signal);
        retryLoop.wentWell();
        settle();
      } catch (error) {
        if (stop.signal.aborted) break;
        // A service that does not exist yet, or missing rights, must not keep the list from its reader.
        if (isCode(error, 'NO_NODE', 'NO_AUTH')) settle();
        waitMs = retryLoop.failed(error, { service: parts.service }, 'cannot register as a consumer of a service');
      }
      await bell.wait(waitMs, stop.signal);
    }
    settle();
  }

  return {
    registered: () => first,
    applied(mark) {
      if (mark === told.mark) return;
      told.mark = mark;
      bell.ring();
    },
    async close() {
      offState();
      stop.abort();
      await kept;
      const path = serviceZnodes(parts.service).consumer(parts.id);
      if (session.state === 'connected') await session.remove(path, ANY_VERSION).catch(() => {});
    },
  };
}

/** One write at a time: what was applied meanwhile is in the next one. */
async function tell({ session, service, access, id, what }: ConsumerParts, mark: bigint, signal: AbortSignal) {
  const { sessionId } = await session.connected(signal);
  const path = serviceZnodes(service).consumer(id);
  const data = encodeConsumer({ applied: mark.toString(16), what });
  const found = await session.get(path);
  if (found && found.stat.ephemeralOwner !== sessionId) await session.remove(path, found.stat.version);
  else if (found) {
    if (!found.data.equals(data)) await session.set(path, data, ANY_VERSION);
    return;
  }
  await session.create(path, data, 'ephemeral', { acl: access.consumer });
}
