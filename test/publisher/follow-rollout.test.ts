import { beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { readDeployment } from '../../fleet/history.ts';
import { writeOutcome } from '../../fleet/outcome.ts';
import { type Published, type PublishParts, publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { type DeploymentProgress, follow } from '../../publisher/follow.ts';
import { publish as publishAndTidy } from '../../publisher/publish.ts';
import { waveWords } from '../../publisher/screens/wave-words.ts';
import type { Ending } from '../../publisher/verdict.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { policy } from '../../schemas/policy.ts';
import { encodeRollout, type Rollout, type RolloutState, rollout } from '../../schemas/rollout.ts';
import { targetOf } from '../../schemas/target.ts';
import { znodes } from '../../schemas/znodes.ts';
import { ANY_VERSION } from '../../zookeeper/session.ts';
import { realKit } from '../support/zookeeper/kit.ts';

const kit = realKit();
let paths: ReturnType<typeof znodes>;
let parts: PublishParts;
let apps = 0;

beforeEach(async () => {
  paths = znodes(`/app/f${++apps}`);
  const session = kit.open(kit.connect());
  await initApp(session, paths, openAccess);
  const newNonce = () => `n-${apps}-${Math.random()}`;
  parts = { session, znodes: paths, access: openAccess, now: () => clock.now(), newNonce };
  // Somebody leads.
  await session.create(`${paths.election}/candidate-`, Buffer.alloc(0), 'ephemeral-sequential');
});

function requestOf(letter: string) {
  const target = targetOf({ url: 'https://h.example.com/r.git', commitId: letter.repeat(40), relativePath: 'shop' });
  return { target, by: 'ann', reason: '', via: 'publish' } as const;
}

const publish = async (letter: string): Promise<Published> =>
  publishTarget(parts, await readSharedState(parts.session, paths), requestOf(letter));

const value = ({ record, targetVersion }: Published, state: RolloutState, more: Partial<Rollout> = {}): Rollout => ({
  ...rollout().parse({ deployment: record.number, targetVersion, state, policy: policy().parse({ canary: 1 }) }),
  ...more,
});
const put = (next: Rollout) => parts.session.set(paths.rollout, encodeRollout(next), ANY_VERSION);

async function ending(
  published: Published,
  timeoutMs: number,
  onLook = async (_: DeploymentProgress) => {},
): Promise<DeploymentProgress> {
  let last: DeploymentProgress | undefined;
  for await (const progress of follow(
    { ...parts, clock, by: 'me' },
    published,
    timeoutMs,
    new AbortController().signal,
  )) {
    last = progress;
    await onLook(progress);
  }
  return last as DeploymentProgress;
}

describe('whoever waits for a rollout in waves', () => {
  it.each([
    ['a state', { state: 'sunrise' }],
    ['a member', { must: ['sunrise'] }],
  ])('judges nothing where a newer version leads it, with %s of its own', async (_, newer) => {
    const published = await publish('a');
    const { targetVersion } = published;
    const data = { ...value(published, 'running'), permits: true, ...newer };
    await parts.session.set(paths.rollout, Buffer.from(JSON.stringify(data)), ANY_VERSION);
    const shown = { agentId: 'web-1', targetVersion, phase: 'active', activeCommit: null, phaseAt: 1, at: 1 };
    const online = { agentId: 'web-1', instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: 1 };
    await parts.session.create(paths.report('web-1'), Buffer.from(JSON.stringify(shown)), 'persistent');
    await parts.session.create(paths.presence('web-1'), Buffer.from(JSON.stringify(online)), 'ephemeral');
    expect((await ending(published, 300)).ending).toBe('timed-out');
    const outcome = async () => (await readDeployment(parts.session, paths, 1))?.outcome?.state;
    expect(await outcome()).toBe('timed-out');
    await publishAndTidy(parts, await readSharedState(parts.session, paths), requestOf('b'));
    expect(await outcome()).toBe('timed-out');
    expect((await ending(published, 300_000)).ending).toBe('superseded');
  });

  it.each([
    ['proven', 'converged'],
    ['failed', 'failed'],
    ['halted', 'halted'],
    ['aborted', 'aborted'],
    ['rolled-back', 'rolled-back'],
    ['running', 'timed-out'],
    ['paused', 'timed-out'],
  ] satisfies [RolloutState, Ending][])('ends, while it is %s, as %s', async (state, ends) => {
    const published = await publish('a');
    await put(value(published, state, { reason: 'web-1 failed' }));
    const { ending: found, reason, rollout: seen } = await ending(published, 300);
    expect({ found, reason, state: seen?.state }).toEqual({ found: ends, reason: 'web-1 failed', state });
    const outcome = (await readDeployment(parts.session, paths, 1))?.outcome?.state ?? null;
    // The coordinator's word; that nobody waited long enough is ours.
    expect(outcome).toBe(ends === 'timed-out' ? 'timed-out' : null);
  });

  it('learns from the record that what came instead is its own way back', async () => {
    const published = await publish('b');
    await put(value(published, 'running', { members: ['web-1'] }));
    let gone = false;
    const last = await ending(published, 60_000, async () => {
      if (gone) return;
      gone = true;
      const reason = 'canary web-1 failed: HEALTH_FAILED';
      const outcome = {
        state: 'rolled-back',
        at: 1,
        reached: 0,
        expected: 1,
        missing: [],
        by: 'coordinator',
        reason,
      } as const;
      await writeOutcome(parts, 1, { ...outcome, missing: [] });
      await put(value(await publish('a'), 'running'));
    });
    expect(last).toMatchObject({ ending: 'rolled-back', reason: 'canary web-1 failed: HEALTH_FAILED' });
    expect(last.supersededBy).toMatchObject({ number: 2 });
  });

  it.each([
    ['coordinator web-1', 'rolled-back'],
    ['ann', 'superseded'],
  ])('where no outcome can be written, what %s published in its place ends it as %s', async (by, ends) => {
    await publish('a');
    const published = await publish('b');
    await parts.session.removeTree(paths.outcomes);
    await put(value(published, 'running', { members: ['web-1'] }));
    let gone = false;
    const last = await ending(published, 60_000, async () => {
      if (gone) return;
      gone = true;
      const back = { ...requestOf('a'), by, reason: 'automatic, after d-2: web-1 failed', via: 'rollback' } as const;
      await publishTarget(parts, await readSharedState(parts.session, paths), back);
    });
    expect(last.ending).toBe(ends);
  });
});

it('says the wave, the soak, the pause and what holds it', () => {
  const going = value({ record: { number: 1 }, targetVersion: '1a.1' } as unknown as Published, 'running', {
    members: ['web-1'],
  });
  expect(waveWords(null, [], null)).toBe('');
  expect(waveWords(going, [], null)).toBe('canary: web-1');
  expect(waveWords({ ...going, wave: 2, soakAt: 1 }, [], null)).toBe('wave 2: web-1, done, to be watched for 0s');
  expect(waveWords({ ...going, reason: 'no agent is online' }, [], null)).toBe('no agent is online');
  expect(waveWords({ ...going, state: 'paused', paused: { by: 'ann', reason: 'lunch', at: 1 } }, [], null)).toBe(
    'paused by ann: lunch',
  );
  expect(waveWords({ ...going, state: 'proven', members: [] }, [], null)).toBe('');
});
