import { beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../../fleet/access.ts';
import { initApp } from '../../../fleet/app.ts';
import type { AuditParts } from '../../../fleet/audit.ts';
import { readAudit } from '../../../fleet/audit.ts';
import { forgetAgent } from '../../../fleet/forget.ts';
import { readDeployment, readHistory } from '../../../fleet/history.ts';
import { quarantineCommit, setHold, unhold, unquarantine } from '../../../fleet/hold-and-quarantine.ts';
import { KEPT, removeOldRecords } from '../../../fleet/numbered.ts';
import { outcomeOperations, writeOutcome } from '../../../fleet/outcome.ts';
import { setPolicy } from '../../../fleet/policy.ts';
import { publishTarget } from '../../../fleet/publish-transaction.ts';
import type { Noted } from '../../../fleet/records/check-chain.ts';
import { verifyHistory } from '../../../fleet/records/verify-history.ts';
import { readSharedState } from '../../../fleet/shared-state.ts';
import { sha256 } from '../../../runtime/sha256.ts';
import type { Outcome } from '../../../schemas/deployment.ts';
import { policy } from '../../../schemas/policy.ts';
import { targetOf } from '../../../schemas/target.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { type Znodes, znodes } from '../../../schemas/znodes.ts';
import { ANY_VERSION, type Session } from '../../../zookeeper/session.ts';
import { countRounds } from '../../support/zookeeper/count-rounds.ts';
import type { ZooKeeperKit } from '../../support/zookeeper/kit.ts';

const LETTERS = 'abcdef';
const commitOf = (at: number) => (LETTERS[at % LETTERS.length] as string).repeat(40) as CommitId;
const outcomeOf = (state: Outcome['state'], by = 'coordinator'): Outcome => ({
  ...{ state, at: 1, reached: 1, expected: 1, missing: [], by },
});
const ANN = { by: 'ann', reason: 'why' };

/** What holds of records on any server that keeps znodes; rights are another suite's, since the fake has none. */
export function recordsSuite(kit: ZooKeeperKit): void {
  let session: Session;
  let paths: Znodes;
  let parts: AuditParts;
  let count = 0;

  beforeEach(async () => {
    session = kit.open(kit.connect());
    paths = znodes(`/app/records${++count}`);
    await initApp(session, paths, openAccess);
    let nonce = 0;
    parts = { session, znodes: paths, access: openAccess, now: () => 1_000, newNonce: () => `n${++nonce}` };
  });

  async function publishes(times: number, from = 0): Promise<void> {
    for (let at = from; at < from + times; at += 1) {
      const target = targetOf({ url: 'https://h.example.com/r.git', commitId: commitOf(at), relativePath: 'shop' });
      const request = { target, by: 'ann', reason: `${at}`, via: 'publish' as const };
      await publishTarget(parts, await readSharedState(session, paths), request);
    }
  }
  const bytes = async (path: string) => (await session.get(path))?.data ?? Buffer.alloc(0);
  const record = async (number: number) => JSON.parse(String(await bytes(paths.deployment(number))));
  const verified = async (noted: Noted | null = null) =>
    (await verifyHistory(session, paths, noted)).map((each) => each);
  const findings = async (noted: Noted | null = null) =>
    (await verified(noted)).flatMap(({ prefix, findings }) =>
      findings.map(({ number, what }) => [prefix, number, what]),
    );

  describe('the chain of deployments', () => {
    it('carries in each record the sha256 of the bytes of the one before, and is whole', async () => {
      await publishes(3);
      expect((await record(1)).chain).toBe('first');
      for (const number of [2, 3])
        expect((await record(number)).chain).toBe(`sha256:${sha256(await bytes(paths.deployment(number - 1)))}`);
      expect(await findings()).toEqual([]);
      const [deployments] = await verified();
      expect(deployments).toMatchObject({ first: 1, last: 3, head: sha256(await bytes(paths.deployment(3))) });
    });

    it('holds for what a foreign writer set, too', async () => {
      await publishes(1);
      await session.set(paths.config, Buffer.from('{"url":1}'), ANY_VERSION);
      await publishes(1, 1);
      expect((await readHistory(session, paths, 9)).map(({ via }) => via)).toEqual(['publish', 'adopted', 'publish']);
      expect(await findings()).toEqual([]);
    });

    it('is not touched by an outcome, which stands in a node of its own and is read with the record', async () => {
      await publishes(2);
      const before = await bytes(paths.deployment(1));
      expect(await writeOutcome(parts, 1, outcomeOf('timed-out', 'ann'))).toBe(true);
      await session.transact(await outcomeOperations(parts, 'coordinator', 1, outcomeOf('proven')));
      expect(await writeOutcome(parts, 1, outcomeOf('failed', 'ann'))).toBe(false);
      expect(await bytes(paths.deployment(1))).toEqual(before);
      expect(await record(1)).not.toHaveProperty('outcome');
      expect(await readDeployment(session, paths, 1)).toMatchObject({
        outcome: { state: 'proven', by: 'coordinator' },
      });
      expect(await findings()).toEqual([]);
    });

    it('has the time of the ensemble, whatever the clock of the writer says', async () => {
      await publishes(1);
      expect((await record(1)).at).toBe(1_000);
      const { ctime } = (await session.exists(paths.deployment(1))) as { ctime: number };
      expect(await readDeployment(session, paths, 1)).toMatchObject({ at: ctime });
    });

    const changed = (text: string) => Buffer.from(text.replace('"by":"ann"', '"by":"eve"'));
    const set = (path: string, data: Buffer) => session.set(path, data, ANY_VERSION);
    const remove = (number: number) => session.remove(paths.deployment(number), ANY_VERSION);
    const create = (number: number, data: Buffer) => session.create(paths.deployment(number), data, 'persistent');

    it.each<[string, () => Promise<unknown>, [number, RegExp][]]>([
      [
        'rewritten',
        async () => set(paths.deployment(2), changed(String(await bytes(paths.deployment(2))))),
        [
          [2, /^d-2 was written again after its creation$/],
          [2, /^d-2 is not what d-3 was written after: its sha256 is [0-9a-f]{64}, d-3 carries [0-9a-f]{64}$/],
        ],
      ],
      [
        'removed and made again with other words',
        async () => {
          const data = changed(String(await bytes(paths.deployment(2))));
          await remove(2);
          await create(2, data);
        },
        [
          [2, /^d-2 was created after d-3$/],
          [2, /^d-2 is not what d-3 was written after/],
        ],
      ],
      [
        'removed and made again, byte for byte',
        async () => {
          const data = await bytes(paths.deployment(2));
          await remove(2);
          await create(2, data);
        },
        [[2, /^d-2 was created after d-3$/]],
      ],
      ['removed', () => remove(3), [[3, /^d-3 is missing$/]]],
      ['removed, the oldest', () => remove(1), [[1, /^d-1 is missing, and the newest 200 are kept$/]]],
      ['removed, the newest', () => remove(5), [[5, /^d-5 is missing: the counter says 5$/]]],
      [
        'invented beyond the counter',
        async () => create(9, changed(String(await bytes(paths.deployment(2))))),
        [
          [6, /^d-6 \.\. d-8 are missing$/],
          [9, /^d-9 says that it is d-2$/],
          [9, /^d-9 is beyond the counter, which says 5$/],
        ],
      ],
      [
        'counted back',
        () => set(paths.deployments, Buffer.from('4')),
        [[5, /^d-5 is beyond the counter, which says 4$/]],
      ],
      ['of no number', () => set(paths.deployments, Buffer.from('many')), [[5, /^the counter holds no number$/]]],
      [
        'without a chain',
        async () => {
          const { chain: _, ...rest } = await record(5);
          await set(paths.deployment(5), Buffer.from(JSON.stringify(rest)));
        },
        [[5, /^d-5 carries no hash of the record before it$/]],
      ],
      [
        'that denies the one before it',
        async () => {
          const data = Buffer.from(JSON.stringify({ ...(await record(5)), chain: 'missing' }));
          await remove(5);
          await create(5, data);
        },
        [[4, /^d-4 is there, and d-5 says that it was "missing"$/]],
      ],
      ['that is none', () => set(paths.deployment(5), Buffer.from('junk')), [[5, /^d-5 holds no record$/]]],
    ])('shows a record %s, with its number', async (_, tamper, wanted) => {
      await publishes(5);
      expect(await findings()).toEqual([]);
      await tamper();
      expect(await findings()).toEqual(wanted.map(([number, what]) => ['d', number, expect.stringMatching(what)]));
    });

    it('made new as a whole shows nothing but against a head that was noted', async () => {
      await publishes(3);
      const noted = { prefix: 'd' as const, number: 2, hash: sha256(await bytes(paths.deployment(2))) };
      expect(await findings(noted)).toEqual([]);
      for (const number of [3, 2, 1]) await remove(number);
      await set(paths.deployments, Buffer.from('0'));
      await publishes(3, 1);
      expect(await findings()).toEqual([]);
      expect(await findings(noted)).toEqual([['d', 2, expect.stringMatching(/^d-2 is not what was noted/)]]);
      await remove(2);
      expect(await findings(noted)).toContainEqual(['d', 2, 'd-2, which was noted, is not there to compare']);
    });

    it('says where the record before is gone, and stays provable from there', async () => {
      await publishes(2);
      await remove(2);
      await publishes(1, 2);
      expect((await record(3)).chain).toBe('missing');
      expect(await findings()).toEqual([['d', 2, 'd-2 is missing']]);
    });

    it('begins behind the records of gitfleet 0.1.0, whose outcome is their own and may still be proven late', async () => {
      await publishes(1);
      const { chain: _, ...old } = await record(1);
      const before = { ...old, outcome: outcomeOf('failed', 'ann') };
      await set(paths.deployment(1), Buffer.from(JSON.stringify(before)));
      expect(await readDeployment(session, paths, 1)).toMatchObject({ outcome: { state: 'failed' } });
      await publishes(2, 1);
      expect(await findings()).toEqual([]);
      expect(await writeOutcome(parts, 1, outcomeOf('superseded', 'ann'))).toBe(false);
      expect(await writeOutcome(parts, 1, outcomeOf('proven', 'ann'))).toBe(true);
      const late = { state: 'proven', reason: 'proven late, after it had failed' };
      expect(await readDeployment(session, paths, 1)).toMatchObject({ outcome: late });
      // An outcome inside a record that is chained counts for nothing.
      await set(
        paths.deployment(3),
        Buffer.from(JSON.stringify({ ...(await record(3)), outcome: outcomeOf('proven') })),
      );
      expect(await readDeployment(session, paths, 3)).toMatchObject({ outcome: null });
    });

    it('stays whole when the oldest records are removed, and their outcomes go with them', async () => {
      await publishes(1);
      for (let number = 2; number <= KEPT + 4; number += 1) {
        const chain = `sha256:${sha256(await bytes(paths.deployment(number - 1)))}`;
        await create(number, Buffer.from(JSON.stringify({ ...(await record(1)), number, chain })));
      }
      await set(paths.deployments, Buffer.from(String(KEPT + 4)));
      for (const number of [1, 2, 6]) await writeOutcome(parts, number, outcomeOf('proven', 'ann'));
      await removeOldRecords(session, paths, KEPT + 4);
      const [deployments] = await verified();
      expect(deployments).toMatchObject({ first: 5, last: KEPT + 4, findings: [] });
      expect(await session.children(paths.outcomes)).toEqual(['d-6']);
      await publishes(1);
      expect(await findings()).toEqual([]);
    });
  });

  it('that are too many to be removed at once keep their outcomes until they go', async () => {
    const all = KEPT + 150;
    const outcomes = [1, 2, 120, 151].map((n) => paths.outcome(n));
    const created = [...Array.from({ length: all }, (_, at) => paths.deployment(at + 1)), ...outcomes];
    await session.transact(
      created.map((path) => ({ op: 'create', path, data: Buffer.alloc(0), mode: 'persistent' }) as const),
    );
    const left = async () => [
      Math.min(...((await session.children(paths.deployments)) ?? []).map((name) => Number(name.slice(2)))),
      (await session.children(paths.outcomes))?.toSorted(),
    ];
    await removeOldRecords(session, paths, all);
    expect(await left()).toEqual([101, ['d-120', 'd-151']]);
    await removeOldRecords(session, paths, all);
    expect(await left()).toEqual([151, ['d-151']]);
  });

  describe('an outcome', () => {
    it('that the coordinator puts in place of another is resolved when its reply is lost', async () => {
      await publishes(1);
      const line = await kit.openLine();
      const behindLine = kit.open(line.connect, { sessionTimeoutMs: 4_000 });
      await behindLine.connected();
      for (const state of ['timed-out', 'failed', 'proven'] as const) {
        const mine = { ...parts, session: behindLine };
        const operations = await outcomeOperations(mine, 'coordinator', 1, outcomeOf(state));
        expect(operations.map(({ op }) => op)).toEqual(state === 'timed-out' ? ['create'] : ['remove', 'create']);
        await line.mode('mute');
        const writing = behindLine.transact(operations);
        const shown = async () => (await readDeployment(session, paths, 1))?.outcome?.state;
        await expect.poll(shown, { timeout: 20_000 }).toBe(state);
        line.cut();
        await line.mode('pass');
        await writing;
      }
      expect((await readDeployment(session, paths, 1))?.outcome?.reason).toContain('proven late');
      await behindLine.close();
      await line.stop();
    }, 60_000);

    it('of an app that has no place for it is refused with the command that makes one', async () => {
      await publishes(1);
      await session.remove(paths.outcomes, ANY_VERSION);
      await expect(writeOutcome(parts, 1, outcomeOf('proven', 'ann'))).rejects.toMatchObject({
        code: 'APP_MISSING',
        hint: expect.stringContaining('gitfleet init'),
      });
      await initApp(session, paths, openAccess);
      expect(await writeOutcome(parts, 1, outcomeOf('proven', 'ann'))).toBe(true);
    });
  });

  describe('a publish', () => {
    it('asks ZooKeeper as often as before the chain: two rounds of reads and one transaction', async () => {
      await publishes(2);
      const { session: counting, asked } = countRounds(session);
      const since = await readSharedState(counting, paths);
      expect(asked).toMatchObject({ rounds: 2, calls: Array(6).fill('get') });
      const target = targetOf({ url: 'https://h.example.com/r.git', commitId: commitOf(3), relativePath: 'shop' });
      const counted = { ...parts, session: counting };
      await publishTarget(counted, since, { target, by: 'ann', reason: '', via: 'publish' });
      expect(asked).toMatchObject({ rounds: 3, calls: [...Array(6).fill('get'), 'transact'] });
    });
  });

  describe('an act', () => {
    const BAD = commitOf(1);
    const acts = async () =>
      (await readAudit(session, paths)).map(({ kind, by, reason, what }) => [kind, by, reason, what]);

    it('leaves one record, in its own transaction, and none where nothing changed', async () => {
      await setHold(parts, { ...ANN, end: 86_400_000 });
      await setHold(parts, { ...ANN, end: 86_400_000 });
      const [hold, first] = await Promise.all([session.exists(paths.hold), session.exists(paths.auditRecord(1))]);
      expect(first?.czxid).toBe(hold?.mzxid);
      await unhold(parts, { by: 'bob', reason: 'over' });
      await unhold(parts, { by: 'bob', reason: 'over' });
      await quarantineCommit(parts, BAD, { by: 'ann', reason: 'burns' });
      await quarantineCommit(parts, BAD, { by: 'bob', reason: 'again' });
      await unquarantine(parts, BAD, { by: 'bob', reason: 'fixed' });
      await unquarantine(parts, BAD, { by: 'bob', reason: 'fixed' });
      await setPolicy(parts, policy().parse({ canary: 1 }), ANN);
      await setPolicy(parts, null, ANN);
      await setPolicy(parts, null, ANN);
      await session.create(paths.report('web-9'), Buffer.from('{}'), 'persistent');
      await session.create(paths.permit('web-9'), Buffer.from('{}'), 'persistent');
      expect(await forgetAgent(parts, 'web-9', ANN)).toBe('report');
      expect(await forgetAgent(parts, 'web-9', ANN)).toBe(null);
      expect(await Promise.all([session.exists(paths.report('web-9')), session.exists(paths.permit('web-9'))])).toEqual(
        [null, null],
      );
      expect(await acts()).toEqual([
        ['forget', 'ann', 'why', 'web-9'],
        ['policy-unset', 'ann', 'why', ''],
        ['policy-set', 'ann', 'why', expect.stringContaining('"canary":1')],
        ['unquarantine', 'bob', 'fixed', BAD],
        ['quarantine', 'ann', 'burns', BAD],
        ['unhold', 'bob', 'over', 'held by ann: why'],
        ['hold', 'ann', 'why', 'until 1970-01-02 00:00 UTC'],
      ]);
      expect(await findings()).toEqual([]);
    });

    it('of twenty at once leaves twenty records in one chain', async () => {
      const commits = Array.from({ length: 20 }, (_, at) => String(at + 10).repeat(20) as CommitId);
      await Promise.all(commits.map((commit) => quarantineCommit(parts, commit, ANN)));
      expect((await acts()).map(([, , , what]) => what).sort()).toEqual(commits.sort());
      expect(await findings()).toEqual([]);
    });

    it('is never stopped by a wrong counter, which shows', async () => {
      await setHold(parts, { ...ANN, end: null });
      for (const wrong of ['0', 'many', '-3']) {
        await session.set(paths.audit, Buffer.from(wrong), ANY_VERSION);
        await unhold(parts, ANN);
        await setHold(parts, { ...ANN, end: null });
      }
      expect((await acts()).length).toBe(7);
      expect(await findings()).toEqual([]);
      await session.set(paths.audit, Buffer.from('99'), ANY_VERSION);
      expect(await findings()).toEqual([['a', 8, 'a-8 .. a-99 are missing: the counter says 99']]);
    });

    it('whose record was rewritten shows with its number', async () => {
      await setHold(parts, { ...ANN, end: null });
      await unhold(parts, ANN);
      const before = String(await bytes(paths.auditRecord(1)));
      await session.set(paths.auditRecord(1), Buffer.from(before.replace('"ann"', '"bob"')), ANY_VERSION);
      expect(await findings()).toEqual([
        ['a', 1, 'a-1 was written again after its creation'],
        ['a', 1, expect.stringMatching(/^a-1 is not what a-2 was written after/)],
      ]);
    });

    it('leaves the newest 200 records', async () => {
      await setHold(parts, { ...ANN, end: null });
      const old = JSON.parse(String(await bytes(paths.auditRecord(1))));
      for (let number = 2; number <= KEPT + 2; number += 1) {
        const chain = `sha256:${sha256(await bytes(paths.auditRecord(number - 1)))}`;
        const data = Buffer.from(JSON.stringify({ ...old, number, chain }));
        await session.create(paths.auditRecord(number), data, 'persistent');
      }
      await session.set(paths.audit, Buffer.from(String(KEPT + 2)), ANY_VERSION);
      await unhold(parts, ANN);
      expect((await verified())[1]).toMatchObject({ first: 4, last: KEPT + 3, findings: [] });
    });
  });
}
