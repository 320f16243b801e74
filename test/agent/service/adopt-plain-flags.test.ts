import { expect, it, onTestFinished } from 'vitest';
import { adoptPlainFlags } from '../../../agent/service/adopt-plain-flags.ts';
import { openAccess as access } from '../../../fleet/access.ts';
import { initApp } from '../../../fleet/app.ts';
import { changeFlag, readFlags } from '../../../fleet/flags/change-flags.ts';
import { parseWanted, withFlag } from '../../../fleet/flags/edit.ts';
import { bindPlain, plainOperations } from '../../../fleet/flags/plain-flags.ts';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import { znodes } from '../../../schemas/znodes.ts';
import { silentLog as log } from '../../support/log.ts';
import { until } from '../../support/until.ts';
import { fakeKit } from '../../support/zookeeper/kit.ts';

const kit = fakeKit();

it('a program that switches all the time fills ZooKeeper with no more records than are kept', async () => {
  const session = kit.open(kit.connect());
  const parts = { session, znodes: znodes('/app/busy'), access, now: () => clock.now() };
  await initApp(session, parts.znodes, access);
  await bindPlain(parts, '/app/busy-features');
  await changeFlag(parts, {
    ...{ flag: 'a', by: '', reason: '', via: 'set' as const },
    edit: (flags) => withFlag(flags, 'a', parseWanted('on')),
    also: (after) => plainOperations(parts, after, 'a'),
  });
  for (let at = 2; at <= 240; at++) await session.create(parts.znodes.flagChange(at), Buffer.from('{}'), 'persistent');
  await session.set('/app/busy-features/a/enabled', Buffer.from('0'), -1);

  const { flags } = await readFlags(parts);
  const stop = new AbortController();
  const adopting = adoptPlainFlags({ ...parts, clock, random, log }, () => flags, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await adopting;
  });
  const records = async () => (await session.children(parts.znodes.flagChanges)) ?? [];
  await until('the oldest are removed', async () => (await records()).length === 200);
  expect(await records()).toContain('f-241');
});
