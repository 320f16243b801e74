import { beforeEach, describe, expect, it } from 'vitest';
import { recheckWanted } from '../../../agent/coordination/recheck.ts';
import type { WantedTarget } from '../../../agent/state/wanted.ts';
import type { FleetError } from '../../../runtime/errors.ts';
import { encodeQuarantine } from '../../../schemas/hold.ts';
import { encodePolicy, policy } from '../../../schemas/policy.ts';
import { encodePermit, encodeRollout, rollout } from '../../../schemas/rollout.ts';
import { encodeTarget, targetVersionOf } from '../../../schemas/target.ts';
import { znodes } from '../../../schemas/znodes.ts';
import { digestId } from '../../../zookeeper/acl.ts';
import type { NodeData, Session } from '../../../zookeeper/session.ts';
import { allowedTarget } from '../../support/allowed-target.ts';
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
  recheckWanted({ session, znodes: paths, agentId: 'web-1', policy: () => ({ allow: [url] }) }, asked, never).then(
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
