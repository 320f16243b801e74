import { fullJitter } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Calls } from './calls.ts';
import type { Deadline } from './deadlines.ts';
import { isCode } from './errors.ts';
import { childPath, parentOf, problemOfPath, withChroot, withoutChroot } from './paths.ts';
import { createReads, type Reads } from './reads.ts';
import { type Requests, requestsBelow } from './requests.ts';
import { type Evidence, resolveLostWrite } from './resolve-lost-write.ts';
import { errorFor, failureOfCode } from './result-codes.ts';
import { type AclEntry, ANY_VERSION, type Operation, type OperationResult, type Session } from './session.ts';

type Writes = Pick<Session, 'create' | 'set' | 'remove' | 'transact' | 'ensure' | 'removeTree' | 'barrier' | 'setAcl'>;

const MAX_BYTES = 1_000_000;
const SMALLER = 'a node holds at most 1,000,000 bytes; keep large things in git';
const MANY_BYTES = 100_000;

/**
 * The session's writes. Checked before anything is sent: the path, an explicit version, the size. Guarantee: exactly
 * one effect or none, and the answer says which, except where it says outcome `unknown` (settle.ts).
 */
export function createWrites(options: {
  chroot: string;
  requests: Requests;
  calls: Calls;
  reads: Reads;
  defaultAcl: readonly AclEntry[];
  lifeline: { readonly lastZxid: bigint; now(): { connection: { sessionId: bigint } } | undefined };
  clock: Clock;
  random: Random;
  log: Logger;
}): Writes {
  const { requests, calls, reads, random, lifeline } = options;
  const wholePaths = requestsBelow('');
  const wholeReads = createReads(wholePaths, calls);

  async function apply(operations: readonly Operation[], deadline: Deadline): Promise<OperationResult[]> {
    for (const operation of operations) check(operation);
    const unique = operations.map((one) => (one.op === 'create' ? withUniqueName(one) : one));
    const send =
      unique.length === 1 ? () => sendOne(unique[0] as Operation, deadline) : () => sendAll(unique, deadline);
    return resolveLostWrite(unique, send, witness(deadline));
  }

  /** A plain request where one will do: servers count and log those by name. */
  async function sendOne(one: Operation, deadline: Deadline): Promise<OperationResult[]> {
    switch (one.op) {
      case 'create': {
        const request = requests.create(one.path, one.data, one.mode, one.acl ?? options.defaultAcl);
        const { payload } = await calls.ask(request, deadline);
        return [{ path: withoutChroot(options.chroot, payload.path ?? '') }];
      }
      case 'set': {
        const { payload } = await calls.ask(requests.set(one.path, one.data, one.version), deadline);
        return [payload.stat ? { stat: payload.stat } : {}];
      }
      case 'remove':
        await calls.ask(requests.remove(one.path, one.version), deadline);
        return [{}];
      case 'check':
        return sendAll([one], deadline);
    }
  }

  async function sendAll(operations: readonly Operation[], deadline: Deadline): Promise<OperationResult[]> {
    const request = requests.transact(operations, options.defaultAcl);
    if (request.payload.byteLength() > MAX_BYTES) {
      throw failureOfCode('TOO_LARGE', {
        ...request,
        outcome: 'none',
        words: 'the transaction is larger than 1,000,000 bytes',
        hint: SMALLER,
      });
    }
    const results = (await calls.ask(request, deadline)).payload.results ?? [];
    const failedAt = results.findIndex((result) => (result.err ?? 0) !== 0);
    if (failedAt >= 0) {
      const path = operations[failedAt]?.path ?? '/';
      throw errorFor(results[failedAt]?.err as number, { op: 'transact', path, failedAt });
    }
    return results.map(({ path, stat }) => ({
      ...(path === undefined ? {} : { path: withoutChroot(options.chroot, path) }),
      ...(stat === undefined ? {} : { stat }),
    }));
  }

  function check(operation: Operation): void {
    const at = { op: operation.op, path: operation.path, outcome: 'none' as const };
    const problem = problemOfPath(operation.path);
    if (problem) throw failureOfCode('BAD_PATH', { ...at, words: `the path ${problem}` });
    if (operation.op !== 'create' && !(Number.isInteger(operation.version) && operation.version >= ANY_VERSION)) {
      throw failureOfCode('BAD_ARGUMENTS', { ...at, words: `${operation.version} is no version` });
    }
    if (operation.op !== 'create' && operation.op !== 'set') return;
    const { length } = operation.data;
    if (length > MAX_BYTES)
      throw failureOfCode('TOO_LARGE', { ...at, words: `${length} bytes are too many for a node`, hint: SMALLER });
    if (length > MANY_BYTES)
      options.log.warn({ path: operation.path, length }, 'a large node is slow to hand to a fleet');
  }

  /** A sequential name gets an id of its own, so that a node whose name we never heard can be found. */
  function withUniqueName(one: Operation & { op: 'create' }): Operation {
    if (!one.mode.endsWith('sequential')) return one;
    const digits = () =>
      Math.floor(random() * 0x1_0000)
        .toString(16)
        .padStart(4, '0');
    return { ...one, path: `${one.path}${digits()}${digits()}${digits()}${digits()}-` };
  }

  function witness(deadline: Deadline): Evidence {
    const barrierBy = () => barrier('/', deadline);
    return {
      barrier: barrierBy,
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

  /** A transaction that changes nothing still goes through the quorum, and so does its refusal. */
  async function barrier(path: string, deadline: Deadline): Promise<void> {
    for (;;) {
      try {
        await calls.ask(requests.transact([{ op: 'check', path, version: ANY_VERSION }], []), deadline);
        return;
      } catch (error) {
        if (!isCode(error, 'CONNECTION_LOSS')) throw error;
      }
    }
  }

  /** With the whole path, so that it can make the chroot too. Looks first: creating needs rights on the parent. */
  async function ensure(whole: string, acl: readonly AclEntry[], deadline: Deadline): Promise<void> {
    for (;;) {
      try {
        if (await wholeReads.existsBy(whole, deadline)) return;
        await calls.ask(wholePaths.create(whole, Buffer.alloc(0), 'persistent', acl), deadline);
        return;
      } catch (error) {
        if (isCode(error, 'NODE_EXISTS')) return;
        if (isCode(error, 'CONNECTION_LOSS')) continue;
        const parent = parentOf(whole);
        if (!isCode(error, 'NO_NODE') || parent === undefined) throw error;
        await ensure(parent, acl, deadline);
      }
    }
  }

  async function removeTree(path: string, deadline: Deadline): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      for (const name of (await reads.childrenBy(path, deadline)) ?? [])
        await removeTree(childPath(path, name), deadline);
      try {
        await apply([{ op: 'remove', path, version: ANY_VERSION }], deadline);
        return;
      } catch (error) {
        if (isCode(error, 'NO_NODE')) return;
        if (!isCode(error, 'NOT_EMPTY') || options.clock.monotonic() > deadline) throw error;
        await options.clock.sleep(fullJitter({ firstMs: 5, maxMs: 250 }, attempt, random));
      }
    }
  }

  return {
    async create(path, data, mode, call) {
      const acl = call?.acl ? { acl: call.acl } : {};
      const [made] = await apply([{ op: 'create', path, data, mode, ...acl }], calls.deadline(call?.deadlineMs));
      return made?.path as string;
    },
    async set(path, data, version, call) {
      const [changed] = await apply([{ op: 'set', path, data, version }], calls.deadline(call?.deadlineMs));
      return changed?.stat as NonNullable<OperationResult['stat']>;
    },
    async remove(path, version, call) {
      await apply([{ op: 'remove', path, version }], calls.deadline(call?.deadlineMs));
    },
    async transact(operations, call) {
      if (operations.length === 0) return [];
      return apply(operations, calls.deadline(call?.deadlineMs));
    },
    async ensure(path, call) {
      const whole = withChroot(options.chroot, path);
      await ensure(whole, call?.acl ?? options.defaultAcl, calls.deadline(call?.deadlineMs));
    },
    removeTree: async (path, call) => removeTree(path, calls.deadline(call?.deadlineMs)),
    barrier: async (path, call) => barrier(path, calls.deadline(call?.deadlineMs)),
    async setAcl(path, acl, version, call) {
      await calls.ask(requests.setAcl(path, acl, version), calls.deadline(call?.deadlineMs));
    },
  };
}
