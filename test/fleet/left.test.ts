import { expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { reportSubject } from '../../fleet/enrolment/trust.ts';
import { createFleetReader, readFleet } from '../../fleet/fleet-view.ts';
import { markLeft } from '../../fleet/leave.ts';
import { statusOutputOf } from '../../publisher/screens/status-output.ts';
import { statusLines } from '../../publisher/screens/status-screen.ts';
import { report } from '../../schemas/report.ts';
import { toJson } from '../../schemas/text/lenient-json.ts';
import { isSignedBy, signingKey } from '../../schemas/text/signed-json.ts';
import { znodes } from '../../schemas/znodes.ts';
import { agent, NOW, picture, SCREEN } from '../publisher/fixtures.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();
const key = signingKey(Buffer.alloc(32, 1));

it('an agent that left is not of the fleet any more, until it reports again; foreign names are counted', async () => {
  const session = open(servers.connect());
  const paths = znodes('/app/left');
  await initApp(session, paths, openAccess);
  const said = (agentId: string) => toJson(report(), report().parse(agent(agentId).report));
  for (const id of ['web-1', 'web-2']) await session.create(paths.report(id), said(id), 'persistent');
  await session.create(`${paths.agents}/no agent`, Buffer.alloc(0), 'persistent');
  expect(await markLeft(session, paths, 'web-2', key)).toBe(true);
  expect(await markLeft(session, paths, 'web-3', key)).toBe(false);
  const whole = await createFleetReader(session, paths)();
  expect(whole).toMatchObject({ agents: [{ agentId: 'web-1' }], left: [{ agentId: 'web-2' }], ignored: 1, unread: 0 });
  expect(await readFleet(session, paths)).toEqual(whole.agents);
  // Its own word, for readers of a fleet whose enrolment is closed.
  const node = await session.get(paths.report('web-2'));
  expect(isSignedBy(key.publicKey, reportSubject('web-2'), node?.data ?? Buffer.alloc(0))).toBe(true);
  await session.set(paths.report('web-2'), said('web-2'), -1);
  expect((await readFleet(session, paths)).map(({ agentId }) => agentId)).toEqual(['web-1', 'web-2']);
});

it('what status leaves out it says', () => {
  const seen = { ...picture([agent('web-1')]), ignored: 3, unread: 12 };
  const lines = statusLines(seen, SCREEN).join('\n');
  expect(lines).toContain('12 agents not read: more than 10,000 are too many');
  expect(lines).toContain("3 nodes beside the agents ignored: the name is no agent's");
  expect(statusOutputOf(seen, NOW)).toMatchObject({ ignored: 3, unread: 12 });
  expect(statusLines(picture([agent('web-1')]), SCREEN).join('\n')).not.toContain('ignored');
});
