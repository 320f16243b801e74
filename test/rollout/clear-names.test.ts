import { beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { enrolAgents, setEnrolmentOpen } from '../../fleet/enrolment/enrol.ts';
import { presenceSubject } from '../../fleet/enrolment/trust.ts';
import { clearNames } from '../../rollout/clear-names.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { signingKey } from '../../schemas/text/signed-json.ts';
import { znodes } from '../../schemas/znodes.ts';
import { joinMembership } from '../../zookeeper/recipes/membership.ts';
import type { Session } from '../../zookeeper/session.ts';
import { silentLog } from '../support/log.ts';
import { until } from '../support/until.ts';
import { fakeKit } from '../support/zookeeper/kit.ts';

const kit = fakeKit();
const WORD = { by: 'ann', reason: '' };
const ENTERED = signingKey(Buffer.alloc(32, 1));
const OTHER = signingKey(Buffer.alloc(32, 2));
let paths: ReturnType<typeof znodes>;
let operator: ReturnType<typeof kit.open>;
let apps = 0;

beforeEach(async () => {
  paths = znodes(`/app/c${++apps}`);
  operator = kit.open(kit.connect());
  await initApp(operator, paths, openAccess);
  const parts = { session: operator, znodes: paths, access: openAccess, now: () => 1, newNonce: () => 'n' };
  const identity = { key: ENTERED.publicKey, digest: 'A'.repeat(27) };
  const newcomers = ['web-1', 'web-2', 'web-3'].map((agentId) => ({ agentId, identity }));
  await enrolAgents(parts, newcomers, WORD, true);
  await setEnrolmentOpen(parts, false, WORD);
});

/** As a leader does in its term. */
async function whileClearing<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const session = kit.open(kit.connect());
  const end = new AbortController();
  const guard = { op: 'check', path: paths.election, version: -1 } as const;
  const term = { guard, fence: 1n, signal: end.signal };
  const clearing = clearNames({ session, znodes: paths, clock, random, log: session.told.log }, { term, agentId: 'x' });
  try {
    return await work(session);
  } finally {
    end.abort();
    await clearing;
  }
}

/** A process that is online as web-1, as the agent does it; each time that its node is made is counted. */
function agent(session: Session, key: typeof ENTERED) {
  let made = 0;
  const membership = joinMembership(session, {
    ...{ path: paths.presence('web-1'), instanceId: 'i', machineId: 'm', clock, random, log: silentLog },
    data: (sessionId) => {
      made += 1;
      return key.sign(presenceSubject('web-1', sessionId), Buffer.from('{"instanceId":"i","machineId":"m"}'));
    },
  });
  return { membership, made: () => made };
}

describe('the names of enrolled agents', () => {
  it('are left to the agent that was entered', async () => {
    await whileClearing(async () => {
      const { membership, made } = agent(kit.open(kit.connect()), ENTERED);
      await until('it is online', async () => membership.held());
      await clock.sleep(300);
      expect([membership.held(), made()]).toEqual([true, 1]);
      await membership.leave();
    });
  });

  it('an agent with a new disk is not entered yet: the leader and it do not chase each other', async () => {
    await whileClearing(async () => {
      const { membership, made } = agent(kit.open(kit.connect()), OTHER);
      await until('it was removed', async () => made() > 1);
      await clock.sleep(3_000);
      // At once, then after 1 s, then after 2 s more.
      expect(made()).toBeLessThan(6);
      await membership.leave();
    });
  });

  it('what comes to a name that waits is removed when its time has come, without another change', async () => {
    await whileClearing(async () => {
      const thief = kit.open(kit.connect());
      for (let nth = 0; nth < 2; nth++) {
        await thief.create(paths.presence('web-2'), Buffer.from('{}'), 'ephemeral');
        await until('it is removed', async () => (await operator.exists(paths.presence('web-2'))) === null);
      }
    });
  });

  it('one that cannot be removed, since nodes lie below it, keeps no other name from its agent', async () => {
    await operator.create(paths.presence('web-1'), Buffer.from('{}'), 'persistent');
    await operator.create(`${paths.presence('web-1')}/below`, Buffer.alloc(0), 'persistent');
    await operator.create(paths.presence('web-2'), Buffer.from('{}'), 'persistent');
    await whileClearing(async (session) => {
      await until('web-2 is free', async () => (await operator.exists(paths.presence('web-2'))) === null);
      await operator.create(paths.presence('web-3'), Buffer.from('{}'), 'persistent');
      await until('web-3 is free', async () => (await operator.exists(paths.presence('web-3'))) === null);
      expect(await operator.exists(paths.presence('web-1'))).not.toBeNull();
      const { lines } = (session as ReturnType<typeof kit.open>).told;
      expect(lines.filter(({ msg }) => String(msg).includes('cannot be removed'))).toHaveLength(1);
    });
  });
});
