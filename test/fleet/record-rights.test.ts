import { beforeEach, expect, it } from 'vitest';
import { ROLES, type Role, type RoleIds, roleAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { type AuditParts, readAudit } from '../../fleet/audit.ts';
import { readDeployment, readHistory } from '../../fleet/history.ts';
import { quarantineCommit, setHold, unhold } from '../../fleet/hold-and-quarantine.ts';
import { KEPT, removeOldRecords } from '../../fleet/numbered.ts';
import { outcomeOperations, writeOutcome } from '../../fleet/outcome.ts';
import { publishTarget } from '../../fleet/publish-transaction.ts';
import { verifyHistory } from '../../fleet/records/verify-history.ts';
import { wrongRights } from '../../fleet/rights.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import type { Outcome } from '../../schemas/deployment.ts';
import { targetOf } from '../../schemas/target.ts';
import type { CommitId } from '../../schemas/values.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import { digestId } from '../../zookeeper/acl.ts';
import { ANY_VERSION, type Session } from '../../zookeeper/session.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

/** With the rights of `init`, on a real server: what each role may do to the records of history. */
const servers = sharedServer();
const open = sessionsForTest();
const IDS = Object.fromEntries(ROLES.map((role) => [role, digestId(role, 'secret')])) as RoleIds;
const access = roleAccess(IDS);
const ACL = { acl: [{ scheme: 'digest', id: IDS.publisher, permissions: 'cdrwa' }] };
const ANN = { by: 'ann', reason: 'why' };
const denied = { code: 'NO_AUTH' };
let paths: Znodes;
let operator: AuditParts;
let publisher: AuditParts;
let coordinator: AuditParts;
let count = 0;

function as(role: Role): AuditParts {
  const session = open(servers.connect(), { auth: [{ scheme: 'digest', credential: `${role}:secret` }] });
  return { session, znodes: paths, access, now: () => 1_000, newNonce: () => `n${Math.random()}` };
}

beforeEach(async () => {
  paths = znodes(`/app/rights${++count}`);
  operator = as('operator');
  await initApp(operator.session, paths, access);
  [publisher, coordinator] = [as('publisher'), as('coordinator')];
});

async function publishes(by: AuditParts, letter = 'a'): Promise<void> {
  const target = targetOf({ url: 'https://h.example.com/r.git', commitId: letter.repeat(40), relativePath: 'shop' });
  const since = await readSharedState(by.session, paths);
  await publishTarget(by, since, { target, by: 'ann', reason: letter, via: 'publish' });
}
const outcome = (state: Outcome['state'], by: string): Outcome => ({
  ...{ state, at: 1, reached: 1, expected: 1, missing: [], by },
});
const judges = async (number: number, state: Outcome['state']) =>
  await coordinator.session.transact(
    await outcomeOperations(coordinator, 'coordinator', number, outcome(state, 'coordinator')),
  );
const ended = async (number: number) => (await readDeployment(operator.session, paths, number))?.outcome;
const findings = async (session: Session = operator.session) =>
  (await verifyHistory(session, paths, null)).flatMap((chain) => chain.findings.map(({ what }) => what));

it('nobody but the operator sets, deletes or overwrites a record or an audit record, whoever wrote it', async () => {
  await publishes(publisher);
  await publishes(coordinator, 'b');
  await quarantineCommit(publisher, 'c'.repeat(40) as CommitId, ANN);
  await setHold(operator, { ...ANN, end: null });
  const agent = as('agent');
  const written = [paths.deployment(1), paths.deployment(2), paths.auditRecord(1), paths.auditRecord(2)];
  for (const path of written) {
    for (const { session } of [publisher, coordinator, agent]) {
      await expect(session.set(path, Buffer.from('x'), ANY_VERSION), path).rejects.toMatchObject(denied);
      await expect(session.setAcl(path, ACL.acl, ANY_VERSION), path).rejects.toMatchObject(denied);
      await expect(session.create(`${path}/x`, Buffer.alloc(0), 'persistent'), path).rejects.toMatchObject(denied);
    }
    for (const { session } of [publisher, agent])
      await expect(session.remove(path, ANY_VERSION), path).rejects.toMatchObject(denied);
    await expect(publisher.session.create(path, Buffer.from('x'), 'persistent', ACL)).rejects.toMatchObject({
      code: 'NODE_EXISTS',
    });
  }
  await expect(agent.session.create(paths.deployment(3), Buffer.alloc(0), 'persistent')).rejects.toMatchObject(denied);
  expect(await findings()).toEqual([]);
  expect(await wrongRights(operator.session, paths, access)).toEqual([]);
});

it('the outcome of the coordinator is out of reach of publishers; their own is, until it comes', async () => {
  for (const letter of ['a', 'b']) await publishes(publisher, letter);
  const path = paths.outcome(1);
  await judges(1, 'failed');
  expect(await writeOutcome(publisher, 1, outcome('proven', 'eve'))).toBe(false);
  await expect(publisher.session.set(path, Buffer.from('x'), ANY_VERSION)).rejects.toMatchObject(denied);
  await expect(publisher.session.remove(path, ANY_VERSION)).rejects.toMatchObject(denied);
  await judges(1, 'proven');
  expect(await ended(1)).toMatchObject({ state: 'proven', by: 'coordinator' });
  // No coordinator has judged the second one.
  expect(await writeOutcome(publisher, 2, outcome('timed-out', 'ann'))).toBe(true);
  expect(await writeOutcome(publisher, 2, outcome('failed', 'ann'))).toBe(true);
  await expect(publisher.session.remove(paths.outcome(2), ANY_VERSION)).rejects.toMatchObject(denied);
  await judges(2, 'proven');
  await expect(publisher.session.set(paths.outcome(2), Buffer.from('x'), ANY_VERSION)).rejects.toMatchObject(denied);
  expect(await ended(2)).toMatchObject({ state: 'proven', by: 'coordinator' });
  const forged = as('agent').session.create(paths.outcome(3), Buffer.alloc(0), 'persistent');
  await expect(forged).rejects.toMatchObject(denied);
});

it('an outcome that a publisher shut away does not stop the coordinator, nor one below which it put something', async () => {
  for (const letter of ['a', 'b']) await publishes(publisher, letter);
  const proven = Buffer.from(JSON.stringify(outcome('proven', 'eve')));
  await publisher.session.create(paths.outcome(1), proven, 'persistent', ACL);
  expect(await readDeployment(coordinator.session, paths, 1)).toMatchObject({ number: 1, outcome: null });
  await judges(1, 'failed');
  expect(await ended(1)).toMatchObject({ state: 'failed', by: 'coordinator' });
  expect((await operator.session.getAcl(paths.outcome(1)))?.acl).toEqual(access.of('outcome'));
  await publisher.session.create(paths.outcome(2), Buffer.from('junk'), 'persistent', ACL);
  await publisher.session.create(`${paths.outcome(2)}/x`, Buffer.alloc(0), 'persistent');
  expect(await outcomeOperations(coordinator, 'coordinator', 2, outcome('failed', 'coordinator'))).toEqual([]);
});

it('a record that its writer shut away stops no publish and no reader, and is named', async () => {
  await publishes(publisher);
  const { data } = (await operator.session.get(paths.deployment(1))) as { data: Buffer };
  await publisher.session.transact([
    { op: 'set', path: paths.deployments, data: Buffer.from('2'), version: ANY_VERSION },
    { op: 'create', path: paths.deployment(2), data, mode: 'persistent', acl: ACL.acl },
  ]);
  const other = as('coordinator');
  expect((await readHistory(other.session, paths, 9)).map(({ number }) => number)).toEqual([1]);
  await publishes(other, 'b');
  expect(await readHistory(other.session, paths, 9)).toMatchObject([
    { number: 4, via: 'publish' },
    { number: 3, via: 'adopted', chain: 'unreadable' },
    { number: 1 },
  ]);
  expect(await findings(other.session)).toContain('d-2 cannot be read with this credential');
  const again = as('publisher');
  await again.session.setAcl(paths.deployment(2), [...ACL.acl, ...access.of('deployment')], ANY_VERSION);
  expect(await findings()).toEqual([
    'd-1 is there, and d-2 says that it was "first"',
    'd-2 says that it is d-1',
    'd-2 may be rewritten by publisher',
    'd-2 is there, and d-3 says that it was "unreadable"',
  ]);
});

it('the oldest records are removed by the coordinator; a publisher removes none and fails at nothing', async () => {
  await publishes(publisher);
  const { data } = (await operator.session.get(paths.deployment(1))) as { data: Buffer };
  const last = KEPT + 3;
  const make = (number: number) =>
    publisher.session.create(paths.deployment(number), data, 'persistent', { acl: access.of('deployment') });
  await Promise.all(Array.from({ length: last - 1 }, (_, at) => make(at + 2)));
  await writeOutcome(publisher, 2, outcome('proven', 'ann'));
  await expect(removeOldRecords(publisher.session, paths, last)).rejects.toMatchObject(denied);
  expect((await operator.session.children(paths.deployments))?.length).toBe(last);
  await removeOldRecords(coordinator.session, paths, last);
  const left = (await operator.session.children(paths.deployments)) ?? [];
  expect(left.length).toBe(KEPT);
  expect(left).not.toContain('d-3');
  expect(await operator.session.children(paths.outcomes)).toEqual([]);
});

it('a publisher acts on the quarantine alone, with a record, and cannot take the record of another act away', async () => {
  await setHold(operator, { ...ANN, end: null });
  await expect(unhold(publisher, { by: 'eve', reason: '' })).rejects.toMatchObject(denied);
  await quarantineCommit(publisher, 'c'.repeat(40) as CommitId, { by: 'eve', reason: 'r' });
  expect((await readAudit(operator.session, paths)).map(({ kind, by }) => [kind, by])).toEqual([
    ['quarantine', 'eve'],
    ['hold', 'ann'],
  ]);
  await expect(publisher.session.remove(paths.auditRecord(1), ANY_VERSION)).rejects.toMatchObject(denied);
  // Whatever it does to the counter, and in the way of the next number, the operator acts on.
  await publisher.session.set(paths.audit, Buffer.from('junk'), ANY_VERSION);
  await publisher.session.create(paths.auditRecord(3), Buffer.from('junk'), 'persistent', ACL);
  await unhold(operator, ANN);
  expect((await readAudit(operator.session, paths))[0]).toMatchObject({ number: 4, kind: 'unhold' });
  // Nor do the highest numbers that there are stop the second act.
  for (const highest of ['999999999999', '999999999999999']) {
    await publisher.session.create(paths.auditRecord(highest), Buffer.from('junk'), 'persistent', ACL);
    for (const counter of ['junk', highest]) {
      await publisher.session.set(paths.audit, Buffer.from(counter), ANY_VERSION);
      for (const reason of ['one', 'two']) await setHold(operator, { by: 'ann', reason, end: null });
    }
  }
});

it('init again passes what a publisher made and shut away, and leaves it to be named', async () => {
  await publishes(publisher);
  const shut = { acl: [{ scheme: 'digest', id: digestId('eve', 'secret'), permissions: 'cdrwa' }] };
  for (const path of [paths.deployment(9), paths.outcome(9), paths.auditRecord(9)])
    await publisher.session.create(path, Buffer.from('junk'), 'persistent', shut);
  await operator.session.remove(paths.clock, ANY_VERSION);
  expect((await initApp(operator.session, paths, access)).made).toEqual([paths.clock]);
  expect(await findings()).toContain('d-9 cannot be read with this credential');
});

it('init again takes from publishers what 0.1.0 gave them, keeps its outcomes, and makes what is new', async () => {
  await publishes(publisher);
  // As 0.1.0 had it: records that publishers may rewrite and remove, with the outcome inside, and nothing beside them.
  const { chain: _, ...record } = JSON.parse(String((await operator.session.get(paths.deployment(1)))?.data));
  const old = Buffer.from(JSON.stringify({ ...record, outcome: outcome('proven', 'coordinator') }));
  await operator.session.set(paths.deployment(1), old, ANY_VERSION);
  const given = (permissions: string) =>
    access.of('deployment').map((one) => (one.id === IDS.publisher ? { ...one, permissions } : one));
  await operator.session.setAcl(paths.deployments, given('cdrw'), ANY_VERSION);
  await operator.session.setAcl(paths.deployment(1), given('rw'), ANY_VERSION);
  for (const path of [paths.outcomes, paths.audit]) await operator.session.remove(path, ANY_VERSION);

  expect(await ended(1)).toMatchObject({ state: 'proven' });
  await publishes(publisher, 'b');
  for (const state of ['proven', 'rolled-back'] as const) expect(await judges(2, state)).toEqual([]);
  await expect(setHold(operator, { ...ANN, end: null })).rejects.toMatchObject({ code: 'APP_MISSING' });
  expect(await findings()).toEqual(['d-1 may be rewritten by publisher']);

  expect((await initApp(operator.session, paths, access)).made).toEqual([paths.outcomes, paths.audit]);
  await expect(publisher.session.set(paths.deployment(1), old, ANY_VERSION)).rejects.toMatchObject(denied);
  await expect(publisher.session.remove(paths.deployment(1), ANY_VERSION)).rejects.toMatchObject(denied);
  await judges(2, 'failed');
  await setHold(operator, { ...ANN, end: null });
  expect(await readHistory(operator.session, paths, 9)).toMatchObject([
    { number: 2, outcome: { state: 'failed' } },
    { number: 1, outcome: { state: 'proven' } },
  ]);
  expect(await findings()).toEqual([]);
  // Again: what publishers wrote stays theirs, what the coordinator wrote does not become it.
  await unhold(operator, ANN);
  await publishes(publisher, 'd');
  await writeOutcome(publisher, 3, outcome('timed-out', 'ann'));
  await initApp(operator.session, paths, access);
  expect(await writeOutcome(publisher, 3, outcome('failed', 'ann'))).toBe(true);
  await expect(publisher.session.set(paths.outcome(2), old, ANY_VERSION)).rejects.toMatchObject(denied);
});
