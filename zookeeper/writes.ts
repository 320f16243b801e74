import { fullJitter } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Deadline } from '../runtime/deadlines.ts';
import type { Logger } from '../runtime/log.ts';
import type { Calls } from './calls.ts';
import { isCode } from './errors.ts';
import { childPath, parentOf, withChroot } from './paths.ts';
import { createReads, type Reads } from './reads.ts';
import { type Requests, requestsBelow } from './requests.ts';
import { type Evidence, resolveLostWrite } from './resolve-lost-write.ts';
import { checkOperation, sendOnce, withUniqueName } from './send-write.ts';
import { type AclEntry, ANY_VERSION, type Operation, type OperationResult, type Session } from './session.ts';

type Writes = Pick<Session, 'create' | 'set' | 'remove' | 'transact' | 'ensure' | 'removeTree' | 'catchUp' | 'setAcl'>;

/**
 * The session's writes. Path, version and size are checked before anything is sent. Guarantee: exactly one effect or
 * none, and the answer says which, unless its outcome is `unknown` (resolve-lost-write.ts).
 */
export function createWrites(parts: WriteParts): Writes {
  const { calls, chroot, defaultAcl } = parts;
  const whole = wholePaths(calls);
  const by = (call: { deadlineMs?: number } | undefined) => calls.deadline(call?.deadlineMs);
  return {
    async create(path, data, mode, call) {
      const acl = call?.acl ? { acl: call.acl } : {};
      const [made] = await apply(parts, [{ op: 'create', path, data, mode, ...acl }], by(call));
      return made?.path as string;
    },
    async set(path, data, version, call) {
      const [changed] = await apply(parts, [{ op: 'set', path, data, version }], by(call));
      return changed?.stat as NonNullable<OperationResult['stat']>;
    },
    async remove(path, version, call) {
      await apply(parts, [{ op: 'remove', path, version }], by(call));
    },
    transact: async (operations, call) => (operations.length === 0 ? [] : apply(parts, operations, by(call))),
    ensure: async (path, call) => ensure(whole, withChroot(chroot, path), call?.acl ?? defaultAcl, by(call)),
    removeTree: async (path, call) => removeTree(parts, path, by(call)),
    catchUp: async (path, call) => catchUp(parts, path, by(call)),
    async setAcl(path, acl, version, call) {
      await calls.ask(parts.requests.setAcl(path, acl, version), by(call));
    },
  };
}

interface WriteParts {
  readonly chroot: string;
  readonly requests: Requests;
  readonly calls: Calls;
  readonly reads: Reads;
  readonly defaultAcl: readonly AclEntry[];
  readonly lifeline: { readonly lastZxid: bigint; now(): { connection: { sessionId: bigint } } | undefined };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

async function apply(
  parts: WriteParts,
  operations: readonly Operation[],
  deadline: Deadline,
): Promise<OperationResult[]> {
  for (const operation of operations) checkOperation(operation, parts.log);
  const unique = operations.map((one) => withUniqueName(one, parts.random));
  return resolveLostWrite(unique, () => sendOnce(parts, unique, deadline), evidence(parts, deadline));
}

function evidence(parts: WriteParts, deadline: Deadline): Evidence {
  const { reads, lifeline } = parts;
  return {
    catchUp: () => catchUp(parts, '/', deadline),
    get: (path) => reads.getBy(path, deadline),
    exists: (path) => reads.existsBy(path, deadline),
    children: (path) => reads.childrenBy(path, deadline),
    get lastZxid() {
      return lifeline.lastZxid;
    },
    get sessionId() {
      return lifeline.now()?.connection.sessionId ?? 0n;
    },
  };
}

/** A transaction that changes nothing still goes through the quorum, even if it is refused. */
async function catchUp({ calls, requests }: WriteParts, path: string, deadline: Deadline): Promise<void> {
  for (;;) {
    try {
      await calls.ask(requests.transact([{ op: 'check', path, version: ANY_VERSION }], []), deadline);
      return;
    } catch (error) {
      if (!isCode(error, 'CONNECTION_LOSS')) throw error;
    }
  }
}

interface WholePaths {
  readonly calls: Calls;
  readonly requests: Requests;
  readonly reads: Reads;
}

/** Uses the server's full paths, because the chroot itself may have to be created. */
function wholePaths(calls: Calls): WholePaths {
  const requests = requestsBelow('');
  return { calls, requests, reads: createReads(requests, calls) };
}

/** Creates `whole` and its parents. Checks for existence first, because creating needs rights on the parent. */
async function ensure(parts: WholePaths, whole: string, acl: readonly AclEntry[], deadline: Deadline): Promise<void> {
  const { calls, requests, reads } = parts;
  for (;;) {
    try {
      if (await reads.existsBy(whole, deadline)) return;
      await calls.ask(requests.create(whole, Buffer.alloc(0), 'persistent', acl), deadline);
      return;
    } catch (error) {
      if (isCode(error, 'NODE_EXISTS')) return;
      if (isCode(error, 'CONNECTION_LOSS')) continue;
      const parent = parentOf(whole);
      if (!isCode(error, 'NO_NODE') || parent === undefined) throw error;
      await ensure(parts, parent, acl, deadline);
    }
  }
}

async function removeTree(parts: WriteParts, path: string, deadline: Deadline): Promise<void> {
  const { reads, clock, random } = parts;
  for (let attempt = 0; ; attempt++) {
    for (const name of (await reads.childrenBy(path, deadline)) ?? []) {
      await removeTree(parts, childPath(path, name), deadline);
    }
    try {
      await apply(parts, [{ op: 'remove', path, version: ANY_VERSION }], deadline);
      return;
    } catch (error) {
      if (isCode(error, 'NO_NODE')) return;
      if (!isCode(error, 'NOT_EMPTY') || clock.monotonic() > deadline) throw error;
      await clock.sleep(fullJitter({ firstMs: 5, maxMs: 250 }, attempt, random));
    }
  }
}
