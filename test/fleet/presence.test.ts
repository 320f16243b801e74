import { expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { readAgent, readFleet } from '../../fleet/fleet-view.ts';
import { forgetAgent } from '../../fleet/forget.ts';
import { agentTable } from '../../publisher/screens/agent-table.ts';
import { presence } from '../../schemas/report.ts';
import { toJson } from '../../schemas/text/lenient-json.ts';
import { znodes } from '../../schemas/znodes.ts';
import { SCREEN } from '../publisher/fixtures.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();

it('a node of no session is no presence: it is named, not expected, and forget removes it', async () => {
  const session = open(servers.connect());
  const paths = znodes('/app/false');
  await initApp(session, paths, openAccess);
  const card = (agentId: string) =>
    toJson(presence(), presence().parse({ agentId, instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: 1 }));
  await session.create(paths.presence('web-1'), card('web-1'), 'ephemeral');
  await session.create(paths.presence('web-2'), card('web-2'), 'persistent');
  const fleet = await readFleet(session, paths);
  expect(fleet).toMatchObject([
    { agentId: 'web-1', presence: { host: 'h' } },
    { agentId: 'web-2', presence: null, falsePresence: true },
  ]);
  expect(fleet[0]).not.toHaveProperty('falsePresence');
  const agents = fleet.map((view) => ({ agentId: view.agentId, standing: 'offline' as const, view }));
  expect(agentTable(agents, { ...SCREEN, columns: 200 }, 20).join('\n')).toContain('gitfleet forget web-2');
  const parts = { session, znodes: paths, access: openAccess, now: () => 1, newNonce: () => 'n' };
  expect(await forgetAgent(parts, 'web-2', { by: 'ann', reason: '' })).toBe('name');
  expect(await readAgent(session, paths, 'web-2')).toBeNull();
  await expect(forgetAgent(parts, 'web-1', { by: 'ann', reason: '' })).rejects.toMatchObject({ code: 'ONLINE' });
});
