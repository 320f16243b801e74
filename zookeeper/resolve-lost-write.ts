import type { ZooKeeperError } from './errors.ts';
import { isCode } from './errors.ts';
import { childPath, nameOf, parentOf } from './paths.ts';
import type { NodeData, NodeStat, Operation, OperationResult } from './session.ts';

/** What is needed of the session; every read happens after a quorum write on a new connection. */
export interface Evidence {
  catchUp(): Promise<void>;
  get(path: string): Promise<NodeData | null>;
  exists(path: string): Promise<NodeStat | null>;
  children(path: string): Promise<string[] | null>;
  readonly lastZxid: bigint;
  readonly sessionId: bigint;
}

/**
 * Finds out what happened to a write whose answer was lost with the connection. Once the session uses a new connection,
 * the servers accept nothing more from the old one. So after a quorum write, what can be read is final, and each
 * operation is looked for by the marks it leaves: done (the result is read back), not done (the write is sent again,
 * and its answer says why if it fails), or undecidable (the error stays `unknown`). What defeats it: another client
 * that writes the same bytes at the same version, or that immediately removes what we created. Use unique content (an
 * id, a nonce) where that matters.
 */
export async function resolveLostWrite(
  operations: readonly Operation[],
  send: () => Promise<OperationResult[]>,
  witness: Evidence,
): Promise<OperationResult[]> {
  for (;;) {
    const before = witness.lastZxid;
    try {
      return await send();
    } catch (error) {
      if (!isCode(error, 'CONNECTION_LOSS')) throw error;
      const verdict = await judge(operations, before, witness, error);
      if (verdict !== 'not-done') return verdict;
    }
  }
}

async function judge(
  operations: readonly Operation[],
  before: bigint,
  witness: Evidence,
  unknown: ZooKeeperError,
): Promise<OperationResult[] | 'not-done'> {
  const marks: Mark[] = [];
  try {
    await witness.catchUp();
    for (const operation of operations) marks.push(await lookFor(operation, before, witness));
  } catch {
    throw unknown; // We could not check in time: report the caller's own failure, not ours.
  }
  const done = marks.some((mark) => mark.is === 'done');
  const missing = marks.some((mark) => mark.is === 'not-done');
  const unclear = marks.some((mark) => mark.is === 'unclear');
  if (done && !missing && !unclear) return marks.map((mark) => mark.result ?? {});
  if (missing && !done) return 'not-done'; // All or nothing: if one is missing, none was done.
  throw unknown;
}

interface Mark {
  readonly is: 'done' | 'not-done' | 'unclear' | 'leaves no mark';
  readonly result?: OperationResult;
}

async function lookFor(operation: Operation, before: bigint, witness: Evidence): Promise<Mark> {
  const { path } = operation;
  switch (operation.op) {
    case 'check':
      return { is: 'leaves no mark' };
    case 'create':
      return operation.mode.endsWith('sequential')
        ? lookForSequential(path, witness)
        : lookForCreated(operation, before, witness);
    case 'set':
      return lookForSet(operation, before, await witness.get(path));
    case 'remove': {
      const stat = await witness.exists(path);
      // Gone, or another node has the name.
      return { is: stat === null || stat.czxid > before ? 'done' : 'not-done' };
    }
  }
}

async function lookForCreated(
  { path, data, mode }: Operation & { op: 'create' },
  before: bigint,
  witness: Evidence,
): Promise<Mark> {
  const found = await witness.get(path);
  const owner = mode === 'ephemeral' ? witness.sessionId : 0n;
  const ours = found && found.stat.czxid > before && found.stat.ephemeralOwner === owner && found.data.equals(data);
  return ours ? { is: 'done', result: { path } } : { is: 'not-done' };
}

/** The name contains an id that no other client draws (send-write.ts). */
async function lookForSequential(path: string, witness: Evidence): Promise<Mark> {
  const parent = parentOf(path) ?? '/';
  const name = ((await witness.children(parent)) ?? []).find((child) => child.startsWith(nameOf(path)));
  return name === undefined ? { is: 'not-done' } : { is: 'done', result: { path: childPath(parent, name) } };
}

function lookForSet(operation: Operation & { op: 'set' }, before: bigint, found: NodeData | null): Mark {
  if (!found) return { is: 'unclear' };
  const { stat, data } = found;
  const { version } = operation;
  if (stat.mzxid <= before || stat.version === version) return { is: 'not-done' };
  const next = version < 0 || stat.version === version + 1;
  if (next && data.equals(operation.data)) return { is: 'done', result: { stat } };
  // The version after ours has another client's content, so ours was refused. Later versions hide what happened.
  return { is: version >= 0 && next ? 'not-done' : 'unclear' };
}
