import { beforeEach, describe, expect, it } from 'vitest';
import { NOTHING_VIEWED, type RolloutView } from '../../../agent/coordination/clearance.ts';
import { recheckAndWait, recheckWanted } from '../../../agent/coordination/recheck.ts';
import { readRolloutView } from '../../../agent/coordination/rollout-feed.ts';
import { createDoor, type Door } from '../../../agent/door/door.ts';
import type { WantedTarget } from '../../../agent/state/wanted.ts';
import { type Clock, systemClock } from '../../../runtime/clock.ts';
import type { FleetError } from '../../../runtime/errors.ts';
import { encodeQuarantine } from '../../../schemas/hold.ts';
import { encodePolicy, policy } from '../../../schemas/policy.ts';
import { encodePermit, encodeRollout, parseRollout, type Rollout, rollout } from '../../../schemas/rollout.ts';
import { encodeTarget, targetVersionOf } from '../../../schemas/target.ts';
import { znodes } from '../../../schemas/znodes.ts';
import { digestId } from '../../../zookeeper/acl.ts';
import type { NodeData, Session } from '../../../zookeeper/session.ts';
import { allowedTarget, doorFor } from '../../support/allowed-target.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();
const never = new AbortController().signal;
const url = 'https://git.example.com/shop.git';
const A = allowedTarget({ url, commitId: 'a'.repeat(40), relativePath: 'shop' });
const B = allowedTarget({ ...A, commitId: 'b'.repeat(40) });

const SOMEBODY = { scheme: 'digest', id: digestId('somebody', 'else'), permissions: 'cdrwa' };

let cases = 0;
let session: Session;
let paths: ReturnType<typeof znodes>;
let wanted: WantedTarget;

/** An app of its own whose config holds A, which is wanted; nothing else is there. */
beforeEach(async () => {
  cases += 1;
  session = open(servers.connect());
  const app = `/confirm-${cases}`;
  paths = znodes(app);
  await session.create(app, Buffer.alloc(0), 'persistent');
  await session.create(paths.permits, Buffer.alloc(0), 'persistent');
  await session.create(paths.config, encodeTarget(A), 'persistent');
  wanted = { kind: 'target', target: A, targetVersion: await version() };
});

const version = async () => targetVersionOf(((await session.get(paths.config)) as NodeData).stat);

/** The code that it is refused with; `go` where it is not. */
const answer = (asked: WantedTarget = wanted): Promise<string> =>
  recheckWanted({ session, znodes: paths, agentId: 'web-1', door: doorFor([url]) }, asked, never).then(
    () => 'go',
    ({ code, next, message }: FleetError) => `${code} ${next}: ${message}`,
  );

const begin = (more: Record<string, unknown>) =>
  session.create(
    paths.rollout,
    encodeRollout(rollout().parse({ deployment: 2, targetVersion: wanted.targetVersion, state: 'running', ...more })),
    'persistent',
  );

describe('right before the swap', () => {
  it('a target goes that config still names, and waits where config was emptied or removed: a wipe leaves no permits', async () => {
    expect(await answer()).toBe('go');
    await session.set(paths.config, Buffer.alloc(0), -1);
    expect(await answer()).toMatch(/^NOT_CLEARED wait: /);
    await session.remove(paths.config, -1);
    expect(await answer()).toMatch(/^NOT_CLEARED wait: /);
  });

  it('another one does not, nor the same one written again', async () => {
    await session.set(paths.config, encodeTarget(A), -1);
    expect(await answer()).toContain('NO_LONGER_WANTED retry: config changed');
    await session.set(paths.config, encodeTarget(B), -1);
    expect(await answer()).toContain('NO_LONGER_WANTED retry: config changed');
  });

  it('a commit in quarantine waits', async () => {
    const entry = { commitId: A.commitId, reason: 'takes the site down', by: 'ann', at: 1 };
    await session.create(paths.quarantine, encodeQuarantine([entry]), 'persistent');
    expect(await answer()).toMatch(/^QUARANTINED wait: .*takes the site down/);
  });

  it('a target waits that the rules of this agent accepted and no longer accept', async () => {
    await begin({ permits: true });
    await session.create(paths.permit('web-1'), encodePermit(wanted.targetVersion), 'persistent');
    const code = (door: Door) =>
      recheckWanted({ session, znodes: paths, agentId: 'web-1', door }, wanted, never).then(
        () => 'go',
        ({ code, next }: FleetError) => `${code} ${next}`,
      );
    expect(await code(doorFor([url]))).toBe('go');
    expect(await code(doorFor(['https://git.example.com/other.git']))).toBe('NOT_ALLOWED wait');
    const rules = { allowUrls: [url], verify: { target: 'required', audience: 'x', signersFile: '/none' } } as const;
    const signed = createDoor({
      rules: () => rules,
      app: '/app',
      appState: '/none',
      ssh: { clock: systemClock, env: {} },
    });
    expect(await code(signed)).toBe('SIGNATURE_MISSING wait');
  });

  it('a rollout with permits needs one for this very target', async () => {
    await begin({ permits: true });
    expect(await answer()).toContain('NOT_CLEARED wait: the rollout changed right before the swap');
    await session.create(paths.permit('web-1'), encodePermit('1.1' as never), 'persistent');
    expect(await answer()).toContain('NOT_CLEARED');
    await session.set(paths.permit('web-1'), encodePermit(wanted.targetVersion), -1);
    expect(await answer()).toBe('go');
  });

  it('where no rollout names it, a policy holds it: that of the app, its own, or one that nobody can read', async () => {
    expect(await answer({ ...wanted, target: allowedTarget({ ...A, gitfleet: { policy: {} } }) })).toContain(
      'NOT_CLEARED',
    );
    await session.create(paths.policy, encodePolicy(policy().parse({})), 'persistent');
    expect(await answer()).toContain('NOT_CLEARED wait');
    await session.set(paths.policy, Buffer.from('nobody can read this'), -1);
    expect(await answer()).toContain('NOT_CLEARED wait');
    await session.set(paths.policy, encodePolicy(null), -1);
    expect(await answer()).toBe('go');
  });

  it('a policy that may not be read holds it, but not where a rollout names it', async () => {
    await session.create(paths.policy, Buffer.alloc(0), 'persistent', { acl: [SOMEBODY] });
    expect(await answer()).toContain('ZooKeeper to say whether a policy is in force');
    await begin({ permits: false });
    expect(await answer()).toBe('go');
  });

  it('what is shown meanwhile is the last proven target, of this commit and at this place', async () => {
    const meanwhile: WantedTarget = { ...wanted, meanwhile: 1 };
    expect(await answer(meanwhile)).toContain('NO_LONGER_WANTED retry: the last proven target changed');
    await begin({ base: { deployment: 1, ...A } });
    expect(await answer(meanwhile)).toBe('go');
    for (const other of [{ relativePath: 'store' }, { commitId: B.commitId }]) {
      await session.remove(paths.rollout, -1);
      await begin({ base: { deployment: 1, ...A, ...other } });
      expect(await answer(meanwhile)).toContain('NO_LONGER_WANTED retry: the last proven target changed');
    }
  });
});

describe('right before the swap at one instant', () => {
  const IN_FUTURE_MS = 400;
  const soon = () => ({ at: systemClock.now() + IN_FUTURE_MS, epoch: 0 });
  const beginTogether = (more: Record<string, unknown> = {}) =>
    begin({ policy: policy().parse({ cutover: 'together' }), members: ['web-1'], ...more });
  const parts = (view: () => RolloutView, clock: Clock = systemClock) => ({
    ...{ session, znodes: paths, agentId: 'web-1', door: doorFor([url]), clock, view },
  });
  const told = () => readRolloutView(parts(() => NOTHING_VIEWED));

  beforeEach(async () => {
    await session.create(paths.clock, Buffer.alloc(0), 'persistent');
  });

  it('nobody goes without an instant, and who is no member does not go with one', async () => {
    await beginTogether();
    expect(await answer()).toContain('NOT_CLEARED');
    await session.set(paths.rollout, await changed({ activateAt: soon(), members: ['web-2'] }), -1);
    expect(await answer()).toContain('NOT_CLEARED');
  });

  it('it waits, and goes not where the rollout ended, halted or passed it over meanwhile', async () => {
    const instant = soon();
    await beginTogether({ activateAt: instant });
    const before = await told();
    const stamp = await recheckAndWait(
      parts(() => before),
      wanted,
      never,
    );
    expect(systemClock.now()).toBeGreaterThanOrEqual(instant.at - 50);
    expect(stamp?.()).toMatchObject({ instant: instant.at, waited: true });
    for (const change of [{ state: 'aborted' }, { state: 'halted' }, { members: [] }]) {
      await session.set(paths.rollout, await changed({ activateAt: soon() }), -1);
      const after = { ...before, ...(await viewOf(change)) };
      await expect(
        recheckAndWait(
          parts(() => after),
          wanted,
          never,
        ),
      ).rejects.toMatchObject({ code: 'NOT_CLEARED' });
    }
  });

  it('who overslept asks again whether it is still wanted', async () => {
    await beginTogether({ activateAt: soon() });
    const before = await told();
    // As a process that is stopped: its clock goes on, and the commit gets into quarantine.
    let stoppedMs = 0;
    const clock: Clock = {
      ...systemClock,
      monotonic: () => systemClock.monotonic() + stoppedMs,
      async sleep() {
        await session.create(paths.quarantine, quarantined(), 'persistent');
        stoppedMs = 10_000;
      },
    };
    await expect(
      recheckAndWait(
        parts(() => before, clock),
        wanted,
        never,
      ),
    ).rejects.toMatchObject({ code: 'QUARANTINED' });
  });

  const changed = async (change: Record<string, unknown>) => {
    const node = (await session.get(paths.rollout)) as NodeData;
    return encodeRollout({ ...(parseRollout(node.data) as Rollout), ...change } as Rollout);
  };
  const viewOf = async (change: Record<string, unknown>): Promise<Partial<RolloutView>> => {
    const rollout = parseRollout(await changed(change)) as Rollout;
    return { rollout, isMember: rollout.members.includes('web-1') };
  };
  const quarantined = () => encodeQuarantine([{ commitId: A.commitId, reason: 'it failed', by: 'ann', at: 1 }]);
});
