import { beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { readDeployment, readHistory } from '../../fleet/history.ts';
import { KEPT } from '../../fleet/numbered.ts';
import { outcomeOperations, writeOutcome } from '../../fleet/outcome.ts';
import type { PublishParts } from '../../fleet/publish-transaction.ts';
import { foreignRecord, isUnrecorded, recordForeign } from '../../fleet/record-deployment.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { publish } from '../../publisher/publish.ts';
import { findRollback } from '../../publisher/rollback.ts';
import type { Outcome } from '../../schemas/deployment.ts';
import { encodeHold } from '../../schemas/hold.ts';
import { presence, report } from '../../schemas/report.ts';
import { encodeTarget, type Target, targetOf } from '../../schemas/target.ts';
import { toJson } from '../../schemas/text/lenient-json.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import { ZooKeeperError } from '../../zookeeper/errors.ts';
import type { Session } from '../../zookeeper/session.ts';
import { countRounds } from '../support/zookeeper/count-rounds.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();
let paths: Znodes;
let session: Session;
let parts: PublishParts;
let count = 0;

beforeEach(async () => {
  paths = znodes(`/app/publisher${++count}`);
  session = open(servers.connect());
  await initApp(session, paths, openAccess);
  let nonce = 0;
  parts = { session, znodes: paths, access: openAccess, now: () => 1_000, newNonce: () => `n${++nonce}` };
});

const target = (letter: string): Target =>
  targetOf({ url: 'https://h.example.com/r.git', commitId: letter.repeat(40), relativePath: 'shop' });
const state = () => readSharedState(session, paths);
const publishOn = (since: Awaited<ReturnType<typeof state>>, letter: string) =>
  publish(parts, since, { target: target(letter), by: 'ann', reason: letter, via: 'publish' });
const publishNow = async (letter: string) => publishOn(await state(), letter);
const outcomeOfVerdict = async (number: number) => (await readDeployment(session, paths, number))?.outcome ?? null;

async function comesOnline(agentId: string): Promise<void> {
  const value = { agentId, instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: 1 };
  await session.create(paths.presence(agentId), toJson(presence(), presence().parse(value)), 'ephemeral');
}

/** As an agent that got there, at what config holds now. */
async function reportsActive(agentId: string): Promise<void> {
  const { targetVersion } = (await state()).config;
  const value = { agentId, targetVersion, phase: 'active', activeCommit: null, phaseAt: 1, at: 1 };
  await session.ensure(paths.report(agentId));
  await session.set(paths.report(agentId), toJson(report(), report().parse(value)), -1);
}

const EMPTY = { op: 'create', data: Buffer.alloc(0), mode: 'persistent' } as const;

/** The session of one who may remove nothing; the write of `slow` comes later than the refusal. */
function refusingRemovals(of: Session, slow: string): Session {
  let refused = () => {};
  const refusal = new Promise<void>((resolve) => {
    refused = resolve;
  });
  const remove: Session['remove'] = async (path) => {
    refused();
    throw new ZooKeeperError({ code: 'NO_AUTH', reason: 'refused' }, { path, outcome: 'none' });
  };
  const transact: Session['transact'] = async (operations) => {
    if (operations.some(({ path }) => path === slow)) {
      await refusal;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return await of.transact(operations);
  };
  return new Proxy(of, {
    get(all, name) {
      if (name === 'remove') return remove;
      if (name === 'transact') return transact;
      const member = Reflect.get(all, name) as unknown;
      return typeof member === 'function' ? member.bind(all) : member;
    },
  });
}

describe('a publish judges what it replaced', () => {
  it('and a refused one judges nothing: what goes on running can still be proven', async () => {
    await comesOnline('web-1');
    const old = await state();
    await publishNow('a');
    await session.set(paths.hold, encodeHold({ reason: 'r', by: 'bob', at: 1, end: null }), -1);
    await expect(publishNow('b')).rejects.toMatchObject({ code: 'HOLD' });
    await expect(publishOn(old, 'b')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await outcomeOfVerdict(1)).toBe(null);
    await session.set(paths.hold, Buffer.alloc(0), -1);
    await reportsActive('web-1');
    await publishNow('b');
    expect(await outcomeOfVerdict(1)).toMatchObject({ state: 'proven', reached: 1, expected: 1 });
    expect((await findRollback(session, paths, null)).number).toBe(1);
  });

  it('in four rounds: waves and lists, the agents, the transaction, the outcome beside the lists of old records', async () => {
    await comesOnline('web-1');
    await publishNow('a');
    await reportsActive('web-1');
    const since = await state();
    const { session: counting, asked } = countRounds(session);
    const request = { target: target('b'), by: 'ann', reason: '', via: 'publish' } as const;
    await publish({ ...parts, session: counting }, since, request);
    expect(await outcomeOfVerdict(1)).toMatchObject({ state: 'proven' });
    expect(asked).toMatchObject({ rounds: 4 });
  });

  it('and leaves an outcome that the coordinator wrote after the publisher had read', async () => {
    await comesOnline('web-1');
    await publishNow('a');
    await reportsActive('web-1');
    const since = await state();
    const judged: Outcome = { state: 'aborted', at: 1, reached: 0, expected: 1, missing: [], by: 'coordinator' };
    await session.transact(await outcomeOperations(parts, 'coordinator', 1, judged));
    await publishOn(since, 'b');
    expect(await outcomeOfVerdict(1)).toMatchObject({ state: 'aborted', by: 'coordinator' });
  });

  it('also over an outcome that was timed out when it was read, and has changed since', async () => {
    await comesOnline('web-1');
    await publishNow('a');
    await reportsActive('web-1');
    const timedOut: Outcome = { state: 'timed-out', at: 1, reached: 0, expected: 1, missing: [], by: 'ann' };
    await writeOutcome(parts, 1, timedOut);
    const since = await state();
    await writeOutcome(parts, 1, { ...timedOut, by: 'bob' });
    await publishOn(since, 'b');
    expect(await outcomeOfVerdict(1)).toMatchObject({ state: 'proven', by: 'publisher' });
  });

  it('before it is done, though old records are refused to it meanwhile, as they are to a publisher', async () => {
    const numbers = Array.from({ length: KEPT }, (_, at) => at + 1);
    await session.transact([
      { op: 'set', path: paths.deployments, data: Buffer.from(String(KEPT)), version: -1 },
      ...numbers.map((n) => ({ ...EMPTY, path: paths.deployment(n) })),
    ]);
    await comesOnline('web-1');
    await publishNow('a');
    await reportsActive('web-1');
    const refusing = refusingRemovals(session, paths.outcome(KEPT + 1));
    const request = { target: target('b'), by: 'ann', reason: '', via: 'publish' } as const;
    await publish({ ...parts, session: refusing }, await state(), request);
    expect(await outcomeOfVerdict(KEPT + 1)).toMatchObject({ state: 'proven' });
  });

  it('without a server that is gone for good and spoke last about an older target', async () => {
    await publishNow('a');
    await reportsActive('gone');
    await publishNow('b');
    // Offline by now, but it said of this target how it ended.
    await reportsActive('restarting');
    await comesOnline('web-1');
    await reportsActive('web-1');
    await publishNow('c');
    expect(await outcomeOfVerdict(2)).toMatchObject({
      state: 'proven',
      reached: 2,
      expected: 3,
      missing: [{ code: 'offline' }],
    });
    // Online and silent is not proven.
    await publishNow('d');
    expect(await outcomeOfVerdict(3)).toMatchObject({ state: 'superseded', reached: 0, expected: 3 });
  });

  it('also where a foreign writer had set it, so that rollback returns to it', async () => {
    await comesOnline('web-1');
    await session.set(paths.config, encodeTarget(target('a')), -1);
    await reportsActive('web-1');
    await publishNow('b');
    expect(await readDeployment(session, paths, 1)).toMatchObject({ via: 'adopted', outcome: { state: 'proven' } });
    expect((await findRollback(session, paths, null)).number).toBe(1);
  });
});

describe('where a rollback would go before a foreign write has its record', () => {
  it.each([
    ['a target', encodeTarget(target('c'))],
    ['nothing that can be read', Buffer.from('{')],
  ])('is where it goes after it: config holds %s', async (_, held) => {
    for (const [at, letter] of ['a', 'b'].entries()) {
      await publishNow(letter);
      await writeOutcome(parts, at + 1, { state: 'proven', at: 1, reached: 1, expected: 1, missing: [], by: 'ann' });
    }
    await session.set(paths.config, held, -1);
    const since = await state();
    expect(isUnrecorded(since)).toBe(true);
    const planned = await findRollback(session, paths, null, [], foreignRecord(since, { nonce: '', at: 1_000 }));
    await recordForeign(parts, since);
    expect([planned.number, (await findRollback(session, paths, null)).number]).toEqual([2, 2]);
  });
});

describe('records beyond the newest 200', () => {
  it('are all removed, not only one', async () => {
    await publishNow('a');
    const { data } = (await session.get(paths.deployment(1))) as { data: Buffer };
    const last = KEPT + 10;
    for (let number = 2; number <= last; number += 1) {
      await session.create(paths.deployment(number), data, 'persistent');
    }
    await session.set(paths.deployments, Buffer.from(String(last)), -1);
    await publishNow('b');
    const names = (await session.children(paths.deployments)) ?? [];
    expect(names.length).toBe(KEPT);
    expect(names).toContain(`d-${last + 1}`);
    expect(names).not.toContain(`d-${last + 1 - KEPT}`);
  });

  it('that cannot be removed do not make a failure of a publish', async () => {
    await session.set(paths.deployments, Buffer.from(String(KEPT)), -1);
    await session.create(paths.deployment(1), Buffer.alloc(0), 'persistent');
    // A node that has children is not removed, which is how ZooKeeper itself refuses here.
    await session.create(`${paths.deployment(1)}/x`, Buffer.alloc(0), 'persistent');
    for (let number = 2; number <= KEPT; number += 1) {
      await session.create(paths.deployment(number), Buffer.alloc(0), 'persistent');
    }
    expect((await publishNow('b')).record.number).toBe(KEPT + 1);
    expect((await readHistory(session, paths, 1))[0]?.target.commitId).toBe('b'.repeat(40));
  });
});

describe('a record of a newer version', () => {
  it('is no foreign write, and keeps its words when it is judged', async () => {
    await publishNow('a');
    await comesOnline('web-1');
    await reportsActive('web-1');
    // In the same transaction as config, as a newer publisher does it.
    const newer = { ...(await readDeployment(session, paths, 1)), number: 2, via: 'webhook', signature: 's' };
    await session.transact([
      { op: 'set', path: paths.deployments, data: Buffer.from('2'), version: -1 },
      { op: 'create', path: paths.deployment(2), data: Buffer.from(JSON.stringify(newer)), mode: 'persistent' },
      { op: 'set', path: paths.config, data: encodeTarget(target('a')), version: -1 },
    ]);
    await reportsActive('web-1');
    expect((await publishNow('b')).record).toMatchObject({ number: 3, previous: 2 });
    expect(await readDeployment(session, paths, 2)).toMatchObject({ via: 'other', outcome: { state: 'proven' } });
    const kept = JSON.parse(String((await session.get(paths.deployment(2)))?.data));
    expect(kept).toMatchObject({ via: 'webhook', signature: 's' });
    const ended = { state: 'newer-word', at: 1, reached: 0, expected: 1 };
    await session.set(paths.outcome(2), Buffer.from(JSON.stringify(ended)), -1);
    expect(await outcomeOfVerdict(2)).toMatchObject({ state: 'other' });
  });
});
