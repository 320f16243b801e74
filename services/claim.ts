import { type Backoff, fullJitter } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ANY_VERSION, type Operation, type Session } from '../zookeeper/session.ts';
import { encodeTwin, parseServiceRule, serviceZnodes, type Twin } from './contract.ts';
import { judgeLeave } from './floor.ts';

/**
 * The one way out of a service's list: a transaction that sets the service's fleet node at the version that was read,
 * and deletes the registration. So all leaves of a service are serialised, whatever their reason, and none is judged by
 * a list that still contains an instance that has left.
 */
export type FloorClaim =
  /**
   * `zxid` of the deletion: a consumer that applied a list at least this new knows of it. Null: there is none to wait
   * for.
   */
  | { readonly kind: 'left'; readonly zxid: bigint | null; readonly alone: boolean }
  | { readonly kind: 'wait'; readonly words: string };

export interface ClaimParts {
  readonly session: Session;
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
}

const TRIES = 30;
const AGAIN: Backoff = { firstMs: 10, maxMs: 500 };

/**
 * @param own the name of the registration.
 * @param twin the new content of its twin; null: there is none to set.
 * @param floor false: it leaves however few remain, as on the way back after a minute of waiting.
 * @throws ZooKeeperError
 */
export async function claimLeave(
  parts: ClaimParts,
  own: string,
  twin: Twin | null,
  signal: AbortSignal,
  floor = true,
): Promise<FloorClaim> {
  const { session, clock, random } = parts;
  const paths = serviceZnodes(parts.service);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    signal.throwIfAborted();
    const fleet = await session.get(paths.fleet);
    const [listed, twins] = await Promise.all([session.children(paths.list), session.children(paths.instances)]);
    if (!listed?.includes(own)) return { kind: 'left', zxid: null, alone: false };
    if (!fleet) return await leaveWithoutFloor(session, paths.registration(own));
    const may = judgeLeave(own, { listed, twins: twins ?? [], rule: parseServiceRule(fleet.data) });
    if (may.kind === 'wait' && floor) return may;
    const operations: Operation[] = [
      { op: 'set', path: paths.fleet, data: fleet.data, version: fleet.stat.version },
      { op: 'remove', path: paths.registration(own), version: ANY_VERSION },
    ];
    if (twin && twins?.includes(own)) {
      operations.push({ op: 'set', path: paths.twin(own), data: encodeTwin(twin), version: ANY_VERSION });
    }
    try {
      const [set] = await session.transact(operations);
      return { kind: 'left', zxid: set?.stat?.mzxid ?? null, alone: may.kind === 'go' && may.alone };
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION', 'NO_NODE')) throw error;
      await clock.sleep(fullJitter(AGAIN, attempt, random), signal);
    }
  }
  return { kind: 'wait', words: `others left in each of ${TRIES} tries` };
}

/** A list that another program made has no floor, and no consumers that we know of. */
async function leaveWithoutFloor(session: Session, path: string): Promise<FloorClaim> {
  await session.remove(path, ANY_VERSION).catch((error: unknown) => {
    if (!isCode(error, 'NO_NODE')) throw error;
  });
  return { kind: 'left', zxid: null, alone: false };
}
