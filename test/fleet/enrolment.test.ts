import { describe, expect, it } from 'vitest';
import { openAccess, ROLES, type RoleIds, roleAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { readAudit } from '../../fleet/audit.ts';
import { enrolAgents, removeEnrolled, setEnrolmentOpen } from '../../fleet/enrolment/enrol.ts';
import { createEnrolmentReader } from '../../fleet/enrolment/enrolment.ts';
import { readOnline } from '../../fleet/enrolment/online.ts';
import { presenceSubject, reportSubject } from '../../fleet/enrolment/trust.ts';
import { createFleetReader, readAgent, readFleet } from '../../fleet/fleet-view.ts';
import { forgetAgent } from '../../fleet/forget.ts';
import { enrolmentLines, withoutIdentityLines } from '../../publisher/screens/enrolment-lines.ts';
import { type Identity, identityText, parseIdentity } from '../../schemas/enrolment.ts';
import { presence, report, secondName } from '../../schemas/report.ts';
import { toJson } from '../../schemas/text/lenient-json.ts';
import { signingKey } from '../../schemas/text/signed-json.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import { digestId, OPEN } from '../../zookeeper/acl.ts';
import { ANY_VERSION, type Session } from '../../zookeeper/session.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();
const WORD = { by: 'ann', reason: 'new' };
const WHO = { ...WORD, at: 1_000 };
const IDS = Object.fromEntries(ROLES.map((role) => [role, digestId(role, 'secret')])) as RoleIds;
const credential = (user: string) => ({ scheme: 'digest', credential: `${user}:secret` });

const keyOf = (seed: number) => signingKey(Buffer.alloc(32, seed));
const KEYS = { 'web-1': keyOf(1), 'web-2': keyOf(2), thief: keyOf(9) };
function identityOf(agentId: keyof typeof KEYS): Identity {
  const [, hash = ''] = digestId(`agent-${agentId}`, 'secret').split(':');
  return { key: KEYS[agentId].publicKey, digest: Buffer.from(hash, 'base64').toString('base64url') };
}
const newcomer = (agentId: 'web-1' | 'web-2') => ({ agentId, identity: identityOf(agentId) });

const card = (agentId: string) =>
  toJson(presence(), presence().parse({ agentId, instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: 1 }));
const said = (agentId: string) =>
  toJson(
    report(),
    report().parse({ agentId, targetVersion: '1.1', phase: 'active', activeCommit: null, phaseAt: 1, at: 1 }),
  );

async function signedCard(session: Session, agentId: string, key = keyOf(1)): Promise<Buffer> {
  const { sessionId } = await session.connected();
  return key.sign(presenceSubject(agentId, sessionId), card(agentId));
}

/** An app with an operator, and one who holds the agents' common credential alone. */
async function app(name: string) {
  const access = roleAccess(IDS);
  const paths = znodes(`/app/${name}`);
  const operator = open(servers.connect(), { auth: [credential('operator')] });
  await initApp(operator, paths, access);
  const thief = open(servers.connect(), { auth: [credential('agent')] });
  const web1 = open(servers.connect(), { auth: [credential('agent'), credential('agent-web-1')] });
  return {
    parts: { session: operator, znodes: paths, access, now: () => 1_000, newNonce: () => 'n' },
    paths,
    operator,
    thief,
    web1,
    access,
  };
}

/** A session that notes what is asked of it. */
function counted(session: Session, paths: Znodes) {
  const asked: string[] = [];
  const counting = new Proxy(session, {
    get(target, name) {
      const method = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (path: string, ...more: unknown[]) => {
        asked.push(`${String(name)} ${path.slice(paths.app.length)}`);
        return method.call(target, path, ...more);
      };
    },
  });
  return { counting, asked };
}

describe('while enrolment is open', () => {
  it('everything that looks like an agent is one, and one small node is all that is read for it', async () => {
    const { paths, operator, thief } = await app('open');
    await thief.create(paths.presence('web-1'), card('web-1'), 'ephemeral', { acl: OPEN });
    const { counting, asked } = counted(operator, paths);
    const read = createFleetReader(counting, paths);
    expect((await read()).agents).toMatchObject([{ agentId: 'web-1', presence: { host: 'h' } }]);
    asked.length = 0;
    expect(await read()).toMatchObject({ notEnrolled: [], enrolment: { isOpen: true } });
    const forOpen = ['get /enrolment', 'children /online', 'children /agents', 'get /online/web-1'];
    // `children` of enrolment goes out once, beside the first read, and holds nothing up.
    expect(asked.filter((each) => each !== 'children /enrolment')).toEqual(forOpen);
  });

  it('an app of an older version, which has no such node, is open', async () => {
    const { paths, operator } = await app('older');
    await operator.remove(paths.enrolment, ANY_VERSION);
    expect(await createEnrolmentReader(operator, paths)()).toMatchObject({ isOpen: true, unreadable: null });
  });
});

describe('while enrolment is closed', () => {
  it('counts what an enrolled agent signed for its name and its session, and nothing else', async () => {
    const { parts, paths, operator, thief, web1, access } = await app('closed');
    await enrolAgents(parts, [newcomer('web-1'), newcomer('web-2')], WORD, true);
    await setEnrolmentOpen(parts, false, WORD);
    const acl = access.of('presence', digestId('agent-web-1', 'secret'));
    const mine = await signedCard(web1, 'web-1');
    await web1.create(paths.presence('web-1'), mine, 'ephemeral', { acl });
    await web1.set(paths.report('web-1'), KEYS['web-1'].sign(reportSubject('web-1'), said('web-1')), ANY_VERSION);
    const views = await readFleet(operator, paths);
    expect(views).toMatchObject([{ agentId: 'web-1', presence: { host: 'h' }, report: { phase: 'active' } }]);

    // A name of its own, signed by a key of its own.
    await thief.create(paths.presence('a-first'), await signedCard(thief, 'a-first', KEYS.thief), 'ephemeral', {
      acl: OPEN,
    });
    await thief.create(
      paths.report('a-first'),
      KEYS.thief.sign(reportSubject('a-first'), said('a-first')),
      'persistent',
      { acl: OPEN },
    );
    const hostile: [string, Buffer, 'ephemeral' | 'persistent'][] = [
      ['unsigned', card('web-2'), 'ephemeral'],
      ['signed by another key', await signedCard(thief, 'web-2', KEYS.thief), 'ephemeral'],
      ['what web-1 signed for its own session', mine, 'ephemeral'],
      ['of no session', card('web-2'), 'persistent'],
      // As if web-2 itself had been here before.
      [
        'what web-2 signed for an earlier session',
        KEYS['web-2'].sign(presenceSubject('web-2', 77n), card('web-2')),
        'ephemeral',
      ],
      ['garbage', Buffer.from('{'), 'ephemeral'],
      ['nothing', Buffer.alloc(0), 'ephemeral'],
    ];
    for (const [what, data, mode] of hostile) {
      // An access list that names web-2 proves nothing either.
      const list = access.of('presence', digestId('agent-web-2', 'secret'));
      await thief.create(paths.presence('web-2'), data, mode, { acl: list });
      const { agents, notEnrolled } = await createFleetReader(operator, paths)();
      expect(
        agents.map(({ agentId, presence: there }) => [agentId, there !== null]),
        what,
      ).toEqual([
        ['web-1', true],
        ['web-2', false],
      ]);
      expect(agents[1]).toMatchObject({ falsePresence: true, report: null });
      expect(notEnrolled).toEqual(['a-first']);
      expect(await readAgent(operator, paths, 'a-first')).toBeNull();
      expect(await forgetAgent(parts, 'web-2', WORD), what).toBe('name');
      expect(await operator.exists(paths.presence('web-2'))).toBeNull();
    }
    await expect(forgetAgent(parts, 'web-1', WORD)).rejects.toMatchObject({ code: 'ONLINE' });
    expect(await forgetAgent(parts, 'a-first', WORD)).toBe('report');
    expect(await operator.children(paths.online)).toEqual(['web-1']);
    expect((await operator.children(paths.agents))?.sort()).toEqual(['web-1', 'web-2']);
  });

  it('finds an agent whose name is taken where its own report says that it is, and nowhere else', async () => {
    const { parts, paths, operator, thief, web1 } = await app('second');
    await enrolAgents(parts, [newcomer('web-1'), newcomer('web-2')], WORD, true);
    await setEnrolmentOpen(parts, false, WORD);
    await thief.create(paths.presence('web-1'), card('web-1'), 'ephemeral', { acl: OPEN });
    const drawn = secondName('web-1', '0123456789abcdef'.repeat(2));
    await web1.create(paths.presence(drawn), await signedCard(web1, 'web-1'), 'ephemeral', { acl: OPEN });
    const isOnline = async (at: string | null) => {
      const where = { ...JSON.parse(String(said('web-1'))), presenceAt: at };
      const data = KEYS['web-1'].sign(reportSubject('web-1'), Buffer.from(JSON.stringify(where)));
      await web1.set(paths.report('web-1'), data, ANY_VERSION);
      const [view] = await readFleet(operator, paths);
      expect(view).toMatchObject({ agentId: 'web-1', falsePresence: true });
      expect((await readAgent(operator, paths, 'web-1'))?.presence).toEqual(view?.presence);
      return view?.presence !== null;
    };
    expect(await isOnline(null)).toBe(false);
    expect(await isOnline(drawn)).toBe(true);
    const false1 = secondName('web-1', 'f'.repeat(32));
    await thief.create(paths.presence(false1), await signedCard(thief, 'web-1', KEYS.thief), 'ephemeral', {
      acl: OPEN,
    });
    for (const other of [
      false1,
      secondName('web-1', 'a'.repeat(32)),
      'web-1',
      '../config',
      secondName('web-2', '0'.repeat(32)),
      `${drawn}/x`,
    ])
      expect(await isOnline(other), other).toBe(false);
  });

  it('what cannot be read is closed, and says so; closing again makes it readable', async () => {
    const { parts, paths, operator } = await app('unreadable');
    for (const text of [
      '{',
      '{"open":true}',
      '{"open":true,"by":"x","at":1,"more":1}',
      '[]',
      '{"open":1,"by":"x","at":1}',
    ]) {
      await operator.set(paths.enrolment, Buffer.from(text), ANY_VERSION);
      const seen = await createEnrolmentReader(operator, paths)();
      expect(seen, text).toMatchObject({ isOpen: false, unreadable: expect.stringContaining('counts as closed') });
    }
    expect(await setEnrolmentOpen(parts, false, WORD)).toBe(true);
    expect(await setEnrolmentOpen(parts, false, WORD)).toBe(false);
    const again = await createEnrolmentReader(operator, paths)();
    expect(again).toMatchObject({ isOpen: false, unreadable: null, said: WHO });
  });

  it('a reader sees each change at its next look, and reads entries again only then', async () => {
    const { parts, paths, operator } = await app('changes');
    await setEnrolmentOpen(parts, false, WORD);
    const read = createEnrolmentReader(operator, paths);
    expect([...(await read()).agents.keys()]).toEqual([]);
    await enrolAgents(parts, [newcomer('web-1')], WORD, true);
    const first = await read();
    expect(first.agents.get('web-1')).toEqual({ ...identityOf('web-1'), ...WHO });
    expect(await read()).toBe(first);
    // The server got a new disk: another identity under the same name.
    await enrolAgents(parts, [{ agentId: 'web-1', identity: identityOf('thief') }], WORD, true);
    expect((await read()).agents.get('web-1')?.key).toBe(KEYS.thief.publicKey);
    expect(await removeEnrolled(parts, ['web-1', 'web-7'], WORD)).toEqual(['web-1']);
    expect((await read()).agents.size).toBe(0);
    expect(await setEnrolmentOpen(parts, true, WORD)).toBe(true);
    expect((await read()).isOpen).toBe(true);
  });
});

it('a session reads the entries of a closed app once, however many looks it takes', async () => {
  const { parts, paths, operator } = await app('once');
  await enrolAgents(parts, [newcomer('web-1'), newcomer('web-2')], WORD, true);
  await setEnrolmentOpen(parts, false, WORD);
  const { counting, asked } = counted(operator, paths);
  const entries = () => asked.splice(0).filter((each) => each.startsWith('get /enrolment/'));
  await readFleet(counting, paths);
  expect(entries()).toHaveLength(2);
  await readFleet(counting, paths);
  await createFleetReader(counting, paths)();
  await readAgent(counting, paths, 'web-1');
  expect(entries()).toEqual([]);
  await removeEnrolled(parts, ['web-2'], WORD);
  await readFleet(counting, paths);
  expect(entries()).toHaveLength(1);
});

describe('to enter an agent', () => {
  it('makes its report node, which nobody else can make or write, and takes a false one away', async () => {
    const { parts, paths, operator, thief, web1 } = await app('entering');
    await thief.create(paths.report('web-1'), said('web-1'), 'persistent', { acl: OPEN });
    await enrolAgents(parts, [newcomer('web-1')], WORD, true);
    expect((await operator.get(paths.report('web-1')))?.data.length).toBe(0);
    await expect(thief.set(paths.report('web-1'), said('web-1'), ANY_VERSION)).rejects.toMatchObject({
      code: 'NO_AUTH',
    });
    const own = KEYS['web-1'].sign(reportSubject('web-1'), said('web-1'));
    await web1.set(paths.report('web-1'), own, ANY_VERSION);
    // Again, as after a change of its entry: what it said stays.
    await enrolAgents(parts, [newcomer('web-1')], WORD, true);
    expect((await operator.get(paths.report('web-1')))?.data).toEqual(own);
    // Forgotten, it stays a place that is its own.
    expect(await forgetAgent(parts, 'web-1', WORD)).toBe('report');
    expect(await forgetAgent(parts, 'web-1', WORD)).toBeNull();
    expect(await readAgent(operator, paths, 'web-1')).toBeNull();
    await expect(thief.create(paths.report('web-1'), own, 'persistent')).rejects.toMatchObject({ code: 'NODE_EXISTS' });
    await web1.set(paths.report('web-1'), own, ANY_VERSION);
  });

  it('5,000 at once are entered, and read in one go', async () => {
    const { parts, paths, operator } = await app('many');
    await setEnrolmentOpen(parts, false, WORD);
    const ids = Array.from({ length: 5_000 }, (_, at) => `web-${at}`);
    await enrolAgents(
      parts,
      ids.map((agentId) => ({ agentId, identity: identityOf('web-1') })),
      WORD,
      true,
    );
    const { agents } = await createEnrolmentReader(operator, paths)();
    expect(agents.size).toBe(5_000);
    expect(await readFleet(operator, paths)).toEqual([]);
  }, 120_000);

  it('a presence alone changes nothing that was entered: another client may hold the name', async () => {
    const { parts, paths, operator } = await app('kept');
    await enrolAgents(parts, [newcomer('web-1')], WORD, true);
    const thief = { agentId: 'web-1', identity: identityOf('thief') };
    const done = await enrolAgents(parts, [thief, newcomer('web-2')], { by: 'bob', reason: '' }, false);
    expect(done).toEqual({ entered: [newcomer('web-2')], same: [], kept: [thief], blocked: [] });
    const again = await enrolAgents(parts, [newcomer('web-1'), newcomer('web-2')], { by: 'bob', reason: '' }, false);
    expect(again).toMatchObject({ entered: [], same: [{ agentId: 'web-1' }, { agentId: 'web-2' }], kept: [] });
    await setEnrolmentOpen(parts, false, WORD);
    const { agents } = await createEnrolmentReader(operator, paths)();
    expect(agents.get('web-1')).toEqual({ ...identityOf('web-1'), ...WHO });
  });

  it('two operators at a time lose nothing of each other', async () => {
    const { parts, paths, operator } = await app('two');
    await Promise.all([
      enrolAgents(parts, [newcomer('web-1')], WORD, true),
      enrolAgents(parts, [newcomer('web-2')], WORD, true),
      setEnrolmentOpen(parts, false, WORD),
    ]);
    const { isOpen, agents } = await createEnrolmentReader(operator, paths)();
    expect([isOpen, [...agents.keys()]]).toEqual([false, ['web-1', 'web-2']]);
  });

  it('of what is online, takes who signs, and names the others', async () => {
    const { paths, operator, thief, web1 } = await app('online');
    const says = async (session: Session, agentId: string, key: typeof KEYS.thief, identity: Identity) => {
      const { sessionId } = await session.connected();
      const said = { ...JSON.parse(String(card(agentId))), identity: identityText(identity) };
      return key.sign(presenceSubject(agentId, sessionId), Buffer.from(JSON.stringify(said)));
    };
    const own = await says(web1, 'web-1', KEYS['web-1'], identityOf('web-1'));
    await web1.create(paths.presence('web-1'), own, 'ephemeral', { acl: OPEN });
    const others: [string, Buffer][] = [
      ['of-earlier-version', card('of-earlier-version')],
      ['copied', own],
      ['of-another-key', await says(thief, 'of-another-key', KEYS.thief, identityOf('web-2'))],
    ];
    for (const [name, data] of others) await thief.create(paths.presence(name), data, 'ephemeral', { acl: OPEN });
    expect(await readOnline(operator, paths)).toEqual({
      newcomers: [newcomer('web-1')],
      withoutIdentity: ['copied', 'of-another-key', 'of-earlier-version'],
    });
    expect(withoutIdentityLines([])).toEqual([]);
    expect(withoutIdentityLines(['web-3'])).toEqual([expect.stringContaining('not entered: web-3')]);
  });

  it('says where two have one key, as after a server was copied', () => {
    const shown = (agents: readonly { agentId: string; identity: Identity }[]) =>
      enrolmentLines('/app/x', {
        ...{ open: false, said: null, unreadable: null },
        agents: agents.map(({ agentId, identity }) => ({ agentId, ...identity, ...WHO })),
      }).join('\n');
    expect(shown([newcomer('web-1'), newcomer('web-2')])).not.toContain('one key');
    const copied = { agentId: 'web-2', identity: identityOf('web-1') };
    expect(shown([newcomer('web-1'), copied])).toContain('warning: web-1, web-2 have one key');
  });

  it('an identity is what was printed, and nothing near it', () => {
    const identity = identityOf('web-1');
    const text = identityText(identity);
    expect(parseIdentity(text)).toEqual(identity);
    for (const wrong of [
      '',
      text.slice(1),
      `${text}x`,
      text.replace('.', ''),
      `${text}.x`,
      identity.key,
      `.${identity.digest}`,
    ])
      expect(parseIdentity(wrong), wrong).toBeNull();
  });
});

describe('each act on the enrolment', () => {
  it('leaves one audit record, what changes nothing leaves none, and the chain holds', async () => {
    const { parts, paths, operator } = await app('audited');
    await setEnrolmentOpen(parts, true, WORD);
    await enrolAgents(parts, [newcomer('web-1'), newcomer('web-2')], WORD, true);
    await enrolAgents(parts, [newcomer('web-1')], WORD, true);
    await setEnrolmentOpen(parts, false, WORD);
    await setEnrolmentOpen(parts, false, WORD);
    await removeEnrolled(parts, ['web-2', 'web-2', 'web-7'], { by: 'bob', reason: 'sold' });
    await removeEnrolled(parts, ['web-7'], WORD);
    await setEnrolmentOpen(parts, true, WORD);
    const acts = (await readAudit(operator, paths)).map(({ kind, by, reason, what }) => [kind, by, reason, what]);
    const [first, second] = [KEYS['web-1'].publicKey.slice(0, 16), KEYS['web-2'].publicKey.slice(0, 16)];
    expect(acts.toReversed()).toEqual([
      ['enrol', 'ann', 'new', `web-1=${first}, web-2=${second}`],
      ['enrolment-close', 'ann', 'new', ''],
      ['unenrol', 'bob', 'sold', 'web-2'],
      ['enrolment-open', 'ann', 'new', ''],
    ]);
  });

  it('is refused together with its record', async () => {
    const { parts, paths, operator, thief } = await app('unaudited');
    const access = roleAccess({ ...IDS, operator: digestId('operator', 'another') });
    await operator.setAcl(paths.audit, access.of('audit'), ANY_VERSION);
    await expect(enrolAgents(parts, [newcomer('web-1')], WORD, true)).rejects.toMatchObject({ code: 'NO_AUTH' });
    await expect(setEnrolmentOpen(parts, false, WORD)).rejects.toMatchObject({ code: 'NO_AUTH' });
    expect(await operator.children(paths.enrolment)).toEqual([]);
    expect((await operator.get(paths.enrolment))?.data.length).toBe(0);
    await expect(setEnrolmentOpen({ ...parts, session: thief }, false, WORD)).rejects.toMatchObject({
      code: 'NO_AUTH',
    });
  });

  it('of many agents names as many as there is room for, and counts the others', async () => {
    const { parts, paths, operator } = await app('long');
    const ids = Array.from({ length: 50 }, (_, at) => `${'web'.repeat(20)}-${at}`);
    await enrolAgents(
      parts,
      ids.map((agentId) => ({ agentId, identity: identityOf('web-1') })),
      WORD,
      true,
    );
    const [{ what } = { what: '' }] = await readAudit(operator, paths);
    expect(what).toMatch(/^web.*=\S{16}, .*=\S{16} and 39 more$/);
  });
});

it('an app of 0.1.0 is upgraded by init: what is missing is made, rights are as of now, content stays', async () => {
  const access = roleAccess(IDS);
  const paths: Znodes = znodes('/app/old');
  const operator = open(servers.connect(), { auth: [credential('operator')] });
  await initApp(operator, paths, access);
  // As 0.1.0 made it: no enrolment, and nobody but the operator removes a presence.
  await operator.removeTree(paths.enrolment);
  const old = access.of('online').map((each) => (each.id === IDS.coordinator ? { ...each, permissions: 'r' } : each));
  await operator.setAcl(paths.online, old, ANY_VERSION);
  await operator.set(paths.config, Buffer.from('precious'), ANY_VERSION);
  const coordinator = open(servers.connect(), { auth: [credential('coordinator')] });
  await operator.create(paths.presence('web-1'), Buffer.alloc(0), 'persistent', { acl: access.of('presence') });
  await expect(coordinator.remove(paths.presence('web-1'), ANY_VERSION)).rejects.toMatchObject({ code: 'NO_AUTH' });

  const { made } = await initApp(operator, paths, access);
  expect(made).toEqual([paths.enrolment]);
  await coordinator.remove(paths.presence('web-1'), ANY_VERSION);
  expect((await operator.get(paths.config))?.data.toString()).toBe('precious');
  expect(await createEnrolmentReader(operator, paths)()).toMatchObject({ isOpen: true });
  expect(openAccess.of('enrolment')).toEqual(OPEN);
});

it('who is entered between the first two reads of a reader is known at its next look', async () => {
  const { parts, operator, paths } = await app('between');
  await enrolAgents(parts, [newcomer('web-1')], WORD, true);
  await setEnrolmentOpen(parts, false, WORD);
  let entering: Promise<unknown> | null = null;
  const inTurn = async (call: () => Promise<unknown>): Promise<unknown> => {
    if (entering) return await entering.then(call);
    const first = call();
    entering = first.then(() => enrolAgents(parts, [newcomer('web-2')], WORD, true));
    return await first;
  };
  const session = new Proxy(operator, {
    get(target, name) {
      const member = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      if (name !== 'get' && name !== 'children') return member;
      return (...args: unknown[]) => inTurn(() => member.apply(target, args));
    },
  });
  const read = createEnrolmentReader(session, paths);
  await read();
  expect([...(await read()).agents.keys()]).toEqual(['web-1', 'web-2']);
});
