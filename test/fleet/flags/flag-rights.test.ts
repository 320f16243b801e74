import { expect, it } from 'vitest';
import { openAccess, ROLES, type Role, type RoleIds, roleAccess } from '../../../fleet/access.ts';
import { initApp } from '../../../fleet/app.ts';
import { changeFlag, type FlagsParts, readFlagChanges, readFlags } from '../../../fleet/flags/change-flags.ts';
import { parseWanted, withFlag } from '../../../fleet/flags/edit.ts';
import { bindPlain, plainOperations, settlePlain } from '../../../fleet/flags/plain-flags.ts';
import { closePlain } from '../../../fleet/flags/plain-rights.ts';
import { znodes } from '../../../schemas/znodes.ts';
import { digestId } from '../../../zookeeper/acl.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** With the rights of `init`, on a real server. */
const servers = sharedServer();
const open = sessionsForTest();
const IDS = Object.fromEntries(ROLES.map((role) => [role, digestId(role, 'secret')])) as RoleIds;
const { flagger: _, ...OLDER } = IDS;
const LOCKED = [{ scheme: 'digest', id: digestId('kazoo', 'own'), permissions: 'cdrwa' }];
let count = 0;

function parts(role: Role, app: string, access = roleAccess(IDS)): FlagsParts {
  const session = open(servers.connect(), { auth: [{ scheme: 'digest', credential: `${role}:secret` }] });
  return { session, znodes: znodes(app), access, now: () => 1_000 };
}

async function fleetWithDirectory() {
  const [app, directory] = [`/app/flag-rights${++count}`, `/app/shown${count}`];
  const operator = parts('operator', app);
  await initApp(operator.session, operator.znodes, operator.access);
  await bindPlain(operator, directory);
  return { operator, flagger: parts('flagger', app), coordinator: parts('coordinator', app), app, directory };
}

const refusals: string[] = [];
const set = (by: FlagsParts, name: string, word: string) =>
  changeFlag(by, {
    ...{ flag: name, by: 'ann', reason: '', via: 'set' as const },
    edit: (flags) => withFlag(flags, name, parseWanted(word)),
    also: (after) => plainOperations(by, after, name),
    withoutAlso: ({ code }) => refusals.push(code),
  });

it('the flagger shows a flag in the directory, and the coordinator takes over what is set there', async () => {
  const { operator, flagger, coordinator, directory } = await fleetWithDirectory();
  await set(flagger, 'checkout', 'on');
  await set(flagger, 'ramp', 'off');
  await set(flagger, 'ramp', '25%');
  const shown = async (name: string) => (await flagger.session.get(`${directory}/${name}/enabled`))?.data.toString();
  expect([await shown('checkout'), await shown('ramp'), refusals]).toEqual(['1', undefined, []]);
  await operator.session.set(`${directory}/checkout/enabled`, Buffer.from('0'), -1);
  expect((await settlePlain(coordinator)).adopted).toMatchObject([{ flag: 'checkout', via: 'adopted' }]);
  const publisher = parts('publisher', flagger.znodes.app);
  await expect(publisher.session.set(`${directory}/checkout/enabled`, Buffer.from('1'), -1)).rejects.toMatchObject({
    code: 'NO_AUTH',
  });
});

it.each(['kept readable', 'closed to everyone'])('a node that another program %s stops no kill switch', async (how) => {
  const { operator, flagger, coordinator, directory } = await fleetWithDirectory();
  await set(flagger, 'checkout', 'on');
  const readable = [...LOCKED, { scheme: 'world', id: 'anyone', permissions: 'r' }];
  await operator.session.setAcl(`${directory}/checkout/enabled`, how === 'kept readable' ? readable : LOCKED, -1);
  refusals.length = 0;
  await settlePlain(flagger);
  expect(await set(flagger, 'checkout', 'off')).toMatchObject({ flag: 'checkout' });
  expect(refusals).toEqual(['NO_AUTH']);
  // The node still says 1, and is older than the change.
  expect((await settlePlain(coordinator)).adopted).toEqual([]);
  expect((await readFlags(flagger)).flags.flags.get('checkout')?.defaultVariant).toBe('off');
  expect(await set(flagger, 'payments', 'off')).toMatchObject({ flag: 'payments' });
});

it('a flagger reads past a record of a leader whose credential file is older than flaggers', async () => {
  const { flagger, app } = await fleetWithDirectory();
  await set(flagger, 'checkout', 'on');
  await set(parts('coordinator', app, roleAccess(OLDER)), 'checkout', 'off');
  expect((await readFlagChanges(flagger, 9)).map(({ number }) => number)).toEqual([1]);
});

it('init --close takes the records of flags from clients without a credential', async () => {
  const app = `/app/flag-rights${++count}`;
  const trial: FlagsParts = { ...parts('operator', app), access: openAccess };
  await initApp(trial.session, trial.znodes, openAccess);
  await set(trial, 'checkout', 'on');
  await initApp(trial.session, trial.znodes, roleAccess(IDS));
  const stranger = open(servers.connect());
  await expect(stranger.set(trial.znodes.flagChange(1), Buffer.from('{}'), -1)).rejects.toMatchObject({
    code: 'NO_AUTH',
  });
  expect(await readFlagChanges(parts('flagger', app), 9)).toHaveLength(1);
});

it('init --close takes the directory of plain flags from clients without a credential too', async () => {
  const [app, directory] = [`/app/flag-rights${++count}`, `/app/shown${count}`];
  const trial: FlagsParts = { ...parts('operator', app), access: openAccess };
  await initApp(trial.session, trial.znodes, openAccess);
  await bindPlain(trial, directory);
  await set(trial, 'checkout', 'on');
  const operator = parts('operator', app);
  await initApp(operator.session, operator.znodes, operator.access);
  await closePlain(operator);
  const stranger = open(servers.connect());
  const denied = { code: 'NO_AUTH' };
  await expect(stranger.set(`${directory}/checkout/enabled`, Buffer.from('0'), -1)).rejects.toMatchObject(denied);
  await expect(stranger.create(`${directory}/new`, Buffer.alloc(0), 'persistent')).rejects.toMatchObject(denied);
  refusals.length = 0;
  await set(parts('flagger', app), 'checkout', 'off');
  expect(refusals).toEqual([]);
});

it('a flagger who names another tree in the document has neither leader nor operator write there', async () => {
  const app = `/app/flag-rights${++count}`;
  const [operator, flagger, coordinator] = [parts('operator', app), parts('flagger', app), parts('coordinator', app)];
  await initApp(operator.session, operator.znodes, operator.access);
  const elsewhere = `/elsewhere${count}`;
  await operator.session.create(elsewhere, Buffer.alloc(0), 'persistent', { acl: openAccess.of('flags') });
  const flag = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'on' };
  for (const [plain, name] of [
    [`${app}/permits`, 'web-1'],
    [`${app}/deployments`, 'd-1'],
    [app, 'gone'],
    [elsewhere, 'checkout'],
    [`${elsewhere}/../..`, 'checkout'],
    ['x'.repeat(1_000), 'checkout'],
  ] as const) {
    const text = JSON.stringify({ flags: { [name]: flag }, metadata: { plain } });
    await flagger.session.set(flagger.znodes.flags, Buffer.from(text), -1);
    expect(await settlePlain(coordinator), plain).toEqual({ adopted: [], left: [] });
    expect(await set(coordinator, name, 'off'), plain).toMatchObject({ flag: name });
    await closePlain(operator);
  }
  for (const path of [`${app}/permits`, `${app}/deployments`, elsewhere]) {
    expect(await operator.session.children(path), path).toEqual([]);
  }
  expect((await operator.session.getAcl(elsewhere))?.acl).toEqual(openAccess.of('flags'));
});
