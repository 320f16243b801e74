import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROLES, type RoleIds, roleAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { ZNODES, type ZnodeKind, type ZnodeRow, znodes } from '../../schemas/znodes.ts';
import { digestId } from '../../zookeeper/acl.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { ANY_VERSION, type Session } from '../../zookeeper/session.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

/*
 * Every credential against every node, on a real server: what is granted is what docs/znodes.md says, letter for letter.
 * Nothing is changed: each attempt is one that fails for another reason where the right is there.
 */
const servers = sharedServer();
const open = sessionsForTest();
const DOC = readFileSync(join(import.meta.dirname, '../../docs/znodes.md'), 'utf8');

const ROWS = Object.entries(ZNODES) as [ZnodeKind, ZnodeRow][];
const credential = (user: string) => ({ scheme: 'digest', credential: `${user}:secret` });
/** `its agent`: what the agents share, and the credential of the one that the node is named after. */
const COLUMNS = [
  'operator',
  'publisher',
  'coordinator',
  'agent',
  'its agent',
  'viewer',
  'flagger',
  'server',
  'foreign',
] as const;
const CREDENTIALS: Record<(typeof COLUMNS)[number], string[]> = {
  operator: ['operator'],
  publisher: ['publisher'],
  coordinator: ['coordinator'],
  agent: ['agent', 'agent-web-2'],
  'its agent': ['agent', 'agent-web-1'],
  viewer: ['viewer'],
  flagger: ['flagger'],
  server: ['server'],
  foreign: ['somebody'],
};

const NO_VERSION = 2 ** 31 - 1;
/** By the letter of the right that each needs; `x` is there already, `y` is not. */
const ATTEMPTS: Record<string, (session: Session, path: string) => Promise<unknown>> = {
  c: (session, path) => session.create(`${path}/x`, Buffer.alloc(0), 'persistent'),
  d: (session, path) => session.remove(`${path}/y`, ANY_VERSION),
  r: (session, path) => session.get(path),
  w: (session, path) => session.set(path, Buffer.alloc(0), NO_VERSION),
  a: (session, path) => session.setAcl(path, [{ scheme: 'world', id: 'anyone', permissions: 'cdrwa' }], NO_VERSION),
};

async function rightsOf(session: Session, path: string): Promise<string> {
  const letters = Object.entries(ATTEMPTS).map(async ([letter, attempt]) => {
    const refused = await attempt(session, path).then(
      () => null,
      (error: unknown) => error,
    );
    if (isCode(refused, 'NO_AUTH')) return '';
    const allowed =
      refused === null
        ? letter === 'r'
        : isCode(refused, 'NODE_EXISTS', 'NO_NODE', 'BAD_VERSION', 'NO_CHILDREN_FOR_EPHEMERALS');
    if (!allowed) throw new Error(`${letter} at ${path}: ${refused}`);
    return letter;
  });
  return (await Promise.all(letters)).join('');
}

it('grants what docs/znodes.md says, to every credential at every node, and nothing else', async () => {
  const ids = Object.fromEntries(ROLES.map((role) => [role, digestId(role, 'secret')])) as RoleIds;
  const access = roleAccess(ids);
  const paths = znodes('/app/matrix');
  const operator = open(servers.connect(), { auth: [credential('operator')] });
  await initApp(operator, paths, access);
  const own = digestId('agent-web-1', 'secret');
  const pathOf = (row: ZnodeRow) => `${paths.app}/${row.path}`.replace(/\/$/, '').replace(/<\w+>/, () => 'web-1');
  for (const [kind, row] of ROWS) {
    const mode = row.mode === 'persistent' ? 'persistent' : 'ephemeral';
    const acl = access.of(kind, kind === 'presence' || kind === 'report' ? own : undefined);
    if (row.made === 'later') await operator.create(pathOf(row), Buffer.alloc(0), mode, { acl });
    if (mode === 'persistent') await operator.create(`${pathOf(row)}/x`, Buffer.alloc(0), 'persistent', { acl });
  }

  const found: Record<string, string>[] = [];
  const sessions = COLUMNS.map((name) => {
    const auth = CREDENTIALS[name].map(credential);
    return [name, open(servers.connect(), { auth })] as const;
  });
  for (const [, row] of ROWS) {
    const cells = sessions.map(async ([name, session]) => [name, await rightsOf(session, pathOf(row))] as const);
    found.push(Object.fromEntries(await Promise.all(cells)));
  }

  const line = (cells: string[]) => `| ${cells.map((cell) => cell || '-').join(' | ')} |`;
  const table = [
    line(['znode', ...COLUMNS]),
    line(['znode', ...COLUMNS].map(() => '---')),
    ...ROWS.map(([, row], at) =>
      line([`\`${row.path || '(app)'}\``, ...COLUMNS.map((name) => found[at]?.[name] ?? '')]),
    ),
  ];
  await expect(`${table.join('\n')}\n`).toMatchFileSnapshot('matrix.md');

  for (const [at, [kind, row]] of ROWS.entries()) {
    const { 'its agent': its, operator: all, foreign, ...roles } = found[at] as Record<string, string>;
    const [publisher, coordinator, agent, viewer] = row.rights;
    const { flagger = viewer, server = viewer } = row;
    expect(roles, row.path).toEqual({ publisher, coordinator, agent, viewer, flagger, server });
    expect([all, foreign], row.path).toEqual(['cdrwa', '']);
    expect(its, row.path).toBe(kind === 'presence' || kind === 'report' ? 'rw' : agent);
    if (row.path !== '') expect(DOC).toContain(`| \`${row.path}\` | ${[...row.rights, flagger, server].join(' | ')} |`);
  }
});
