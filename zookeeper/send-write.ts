import type { Random } from '../runtime/clock.ts';
import type { Deadline } from '../runtime/deadlines.ts';
import type { Logger } from '../runtime/log.ts';
import type { Calls } from './calls.ts';
import { problemOfPath, withoutChroot } from './paths.ts';
import type { Requests } from './requests.ts';
import { errorFor, failureOfCode } from './result-codes.ts';
import { type AclEntry, ANY_VERSION, type Operation, type OperationResult } from './session.ts';

const MAX_BYTES = 1_000_000;
const MANY_BYTES = 100_000;
const SMALLER = 'a node holds at most 1,000,000 bytes; keep large things in git';

/** Refuses before anything is sent: a bad path, an invalid version, a node that is too large. */
export function checkOperation(operation: Operation, log: Logger): void {
  const at = { op: operation.op, path: operation.path, outcome: 'none' as const };
  const problem = problemOfPath(operation.path);
  if (problem) throw failureOfCode('BAD_PATH', { ...at, words: `the path ${problem}` });
  if (operation.op !== 'create' && !(Number.isInteger(operation.version) && operation.version >= ANY_VERSION)) {
    throw failureOfCode('BAD_ARGUMENTS', { ...at, words: `${operation.version} is no version` });
  }
  if (operation.op === 'create' || operation.op === 'set') checkSize(operation, log);
}

function checkSize({ op, path, data: { length } }: Operation & { data: Buffer }, log: Logger): void {
  if (length > MAX_BYTES) {
    const words = `${length} bytes are too many for a node`;
    throw failureOfCode('NODE_TOO_LARGE', { op, path, outcome: 'none', words, hint: SMALLER });
  }
  if (length > MANY_BYTES) log.warn({ path, length }, 'a large node is slow to hand to a fleet');
}

/** Adds a random id to a sequential name, so that the node can be found if the reply with its name is lost. */
export function withUniqueName(operation: Operation, random: Random): Operation {
  if (operation.op !== 'create' || !operation.mode.endsWith('sequential')) return operation;
  const digits = () =>
    Math.floor(random() * 0x1_0000)
      .toString(16)
      .padStart(4, '0');
  return { ...operation, path: `${operation.path}${digits()}${digits()}${digits()}${digits()}-` };
}

interface SendParts {
  readonly chroot: string;
  readonly requests: Requests;
  readonly calls: Calls;
  readonly defaultAcl: readonly AclEntry[];
}

/**
 * Sends operations once, together, and reads the answer. A single operation becomes a plain request, because the
 * servers' metrics count those by kind.
 */
export async function sendOnce(
  parts: SendParts,
  operations: readonly Operation[],
  deadline: Deadline,
): Promise<OperationResult[]> {
  const [one] = operations;
  if (operations.length !== 1 || !one || one.op === 'check') return sendAll(parts, operations, deadline);
  return [await sendOne(parts, one, deadline)];
}

async function sendOne(
  { chroot, requests, calls, defaultAcl }: SendParts,
  one: Exclude<Operation, { op: 'check' }>,
  deadline: Deadline,
): Promise<OperationResult> {
  switch (one.op) {
    case 'create': {
      const request = requests.create(one.path, one.data, one.mode, one.acl ?? defaultAcl);
      const { payload } = await calls.ask(request, deadline);
      return { path: withoutChroot(chroot, payload.path ?? '') };
    }
    case 'set': {
      const { payload } = await calls.ask(requests.set(one.path, one.data, one.version), deadline);
      return payload.stat ? { stat: payload.stat } : {};
    }
    case 'remove':
      await calls.ask(requests.remove(one.path, one.version), deadline);
      return {};
  }
}

async function sendAll(
  { chroot, requests, calls, defaultAcl }: SendParts,
  operations: readonly Operation[],
  deadline: Deadline,
): Promise<OperationResult[]> {
  const request = requests.transact(operations, defaultAcl);
  if (request.payload.byteLength() > MAX_BYTES) {
    const words = 'the transaction is larger than 1,000,000 bytes';
    throw failureOfCode('NODE_TOO_LARGE', { ...request, outcome: 'none', words, hint: SMALLER });
  }
  const results = (await calls.ask(request, deadline)).payload.results ?? [];
  const failedAt = results.findIndex((result) => (result.err ?? 0) !== 0);
  if (failedAt >= 0) {
    const path = operations[failedAt]?.path ?? '/';
    throw errorFor(results[failedAt]?.err as number, { op: 'transact', path, failedAt });
  }
  return results.map(({ path, stat }) => ({
    ...(path === undefined ? {} : { path: withoutChroot(chroot, path) }),
    ...(stat === undefined ? {} : { stat }),
  }));
}
