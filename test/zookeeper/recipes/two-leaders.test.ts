import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import { standForElection } from '../../../zookeeper/recipes/election.ts';
import { expireById, sessionsForTest } from '../../support/zookeeper/session.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/*
 * The old leader is a process of its own that writes without pause and heeds no signal. Each round freezes it, ends
 * its session on the server as a timeout would, lets a successor write once, and thaws it.
 */
const ROUNDS = 100;
const real = sharedServer();
const open = sessionsForTest();
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

it(`no write of a thawed leader is accepted after its successor’s first, in ${ROUNDS} rounds`, {
  timeout: 240_000,
}, async () => {
  const session = open(real.connect());
  await session.ensure('/leaders');
  await session.create('/value', Buffer.from('nobody'), 'persistent');
  const told = { leading: '', accepted: [] as bigint[], refused: '' };
  const old = fork(join(import.meta.dirname, '../../support/zookeeper/stubborn-leader.mjs'), [
    real.connect(),
    '/leaders',
    '/value',
  ]);
  children.push(old);
  old.on('message', (message: { leading?: string; fence?: string; accepted?: string; refused?: string }) => {
    if (message.leading) told.leading = `${message.leading} ${message.fence}`;
    if (message.accepted) told.accepted.push(BigInt(message.accepted));
    if (message.refused) told.refused = message.refused;
  });

  for (let round = 0; round < ROUNDS; round++) {
    await expect.poll(() => told.leading, { timeout: 30_000, interval: 5 }).not.toBe('');
    const [sessionId, fence] = told.leading.split(' ') as [string, string];
    const before = told.accepted.length;
    await expect.poll(() => told.accepted.length, { timeout: 30_000, interval: 5 }).toBeGreaterThan(before);
    const successor = standForElection(session, { path: '/leaders', clock, random, log: session.told.log });
    old.kill('SIGSTOP');
    await expireById(BigInt(sessionId), real.connect());
    await expect.poll(() => successor.term?.fence, { timeout: 30_000, interval: 5 }).toBeDefined();
    const term = successor.term as NonNullable<typeof successor.term>;
    expect(term.fence).toBeGreaterThan(BigInt(fence));
    const write = { op: 'set', path: '/value', data: Buffer.from(`new ${round}`), version: -1 } as const;
    const first = (await session.transact([term.guard, write]))[1]?.stat;

    told.leading = '';
    old.kill('SIGCONT');
    await expect.poll(() => told.refused, { timeout: 30_000, interval: 5 }).toBe(fence);
    expect(told.accepted.filter((mzxid) => mzxid >= (first?.mzxid ?? 0n))).toEqual([]);
    expect((await session.get('/value'))?.stat.mzxid).toBe(first?.mzxid);
    await successor.leave();
  }
  expect(told.accepted.length).toBeGreaterThan(ROUNDS);
});
