import { expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { knowAgents } from '../../rollout/agents.ts';
import { type Phase, report } from '../../schemas/report.ts';
import type { Rollout } from '../../schemas/rollout.ts';
import { toJson } from '../../schemas/text/lenient-json.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import { znodes } from '../../schemas/znodes.ts';
import { fakeKit } from '../support/zookeeper/kit.ts';

const kit = fakeKit();
const paths = znodes('/app/agents');
const VERSION = '5.1';

const reportOf = (phase: Phase) =>
  toJson(
    report(),
    report().parse({ agentId: 'web-1', targetVersion: VERSION, phase, activeCommit: null, phaseAt: 0, at: 0 }),
  );

it('the permit of an agent that waits for one although it has it is read again: another client may have replaced it', async () => {
  const session = kit.open(kit.connect());
  await initApp(session, paths, openAccess);
  await session.create(paths.report('web-1'), reportOf('awaiting'), 'persistent');
  await session.create(paths.permit('web-1'), Buffer.from(VERSION), 'persistent');
  const agents = knowAgents(session, paths, () => 1, 1_000);
  const permit = async () => (await agents.read(null))[0]?.permit?.targetVersion;
  expect(await permit()).toBe(VERSION);
  await session.set(paths.permit('web-1'), Buffer.from('1.1'), -1);
  expect(await permit()).toBe('1.1');
  // What this leader granted counts at once, and is read only while the agent says that it has none.
  const order = { do: 'permit', why: '', rollout: {} as Rollout, grant: ['web-1'], revoke: [] } as const;
  agents.note({ ...order, instantInMs: null, outcome: null }, VERSION as TargetVersion);
  await session.set(paths.permit('web-1'), Buffer.from(VERSION), -1);
  await session.set(paths.report('web-1'), reportOf('activating'), -1);
  expect(await permit()).toBe(VERSION);
  await session.set(paths.permit('web-1'), Buffer.from('1.1'), -1);
  expect(await permit()).toBe(VERSION);
});
