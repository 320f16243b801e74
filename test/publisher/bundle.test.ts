import { describe, expect, it } from 'vitest';
import { openAccess, type RoleIds, roleAccess } from '../../fleet/access.ts';
import type { SharedState } from '../../fleet/shared-state.ts';
import { BUNDLE_MS, type BundlerParts, bundleFor } from '../../publisher/bundle.ts';
import { bundleLimit, MAX_BUNDLE_BYTES, parseBundle } from '../../schemas/records/bundle.ts';
import type { CommitId } from '../../schemas/values.ts';
import { znodes } from '../../schemas/znodes.ts';
import { OPEN } from '../../zookeeper/acl.ts';
import { ZooKeeperError } from '../../zookeeper/errors.ts';
import type { Session } from '../../zookeeper/session.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';
import { NEW, OLD } from './fixtures.ts';

const ROLES = ['operator', 'publisher', 'coordinator', 'agent', 'viewer'] as const;
const access = roleAccess(Object.fromEntries(ROLES.map((role) => [role, `${role}:hash`])) as RoleIds);
const paths = znodes('/app/shop');
const PACK = Buffer.from('a pack');
const names = (count: number) => Array.from({ length: count }, (_, at) => `web-${at}`);

interface Given {
  readonly agents?: readonly string[];
  readonly session?: Partial<Session>;
  readonly parts?: Partial<BundlerParts>;
  readonly base?: CommitId | null;
}

/** What a publisher gets of a ZooKeeper that answers at once, and what it wrote. */
function attempt({ agents = names(2), session = {}, parts = {}, base = OLD as CommitId }: Given = {}) {
  const clock = createVirtualClock();
  const written: string[] = [];
  const whole = {
    getAcl: async () => ({ acl: [{ scheme: 'digest', id: 'operator:hash', permissions: 'cdrwa' }], version: 0 }),
    children: async (path: string) => (path === paths.online ? [...agents] : []),
    create: async (path: string) => written.push(path),
    exists: async () => null,
    remove: async () => {},
    ...session,
  };
  const all: BundlerParts = {
    session: whole as unknown as Session,
    znodes: paths,
    access,
    clock,
    random: () => 0.6,
    make: async () => PACK,
    isPrivate: true,
    ...parts,
  };
  const since = { config: { target: base === null ? null : { commitId: base } } } as unknown as SharedState;
  return { result: bundleFor(all, since, { commitId: NEW }), clock, written };
}

const never = new Promise<never>(() => {});
const refusedBy = (code: 'NO_NODE' | 'NO_AUTH' | 'DEADLINE') => async () => {
  throw new ZooKeeperError({ code, reason: '' }, { path: paths.objects, outcome: 'none' });
};

describe('a publisher with bundles', () => {
  it('puts the pack where its digest says, and draws the agent that asks the origin', async () => {
    const { result, written } = attempt();
    const { member } = await result;
    expect(member).toEqual({ digest: expect.stringMatching(/^[0-9a-f]{64}$/), base: OLD, size: 6, asks: 'web-1' });
    expect(written).toEqual([paths.bundle(member?.digest ?? '')]);
    expect(parseBundle(JSON.parse(JSON.stringify(member)))).toEqual(member);
  });

  it('ends the packing where ZooKeeper has already refused', async () => {
    let isOver = false;
    const make: BundlerParts['make'] = (_base, _commitId, _most, signal) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          isOver = true;
          resolve(null);
        }),
      );
    const { result } = attempt({ session: { getAcl: refusedBy('NO_AUTH') as never }, parts: { make } });
    expect([await result, isOver]).toEqual([{ refused: 'not set up' }, true]);
  });

  it.each<[string, Given, object]>([
    ['nothing was published yet', { base: null }, {}],
    ['the commit is the present one', { base: NEW }, {}],
    ['one agent is online: it has to ask the origin', { agents: names(1) }, {}],
    ['a second name is no second agent', { agents: ['web-1', `web-1~${'0'.repeat(32)}`] }, {}],
    ['the repository lacks a commit', { parts: { make: async () => null } }, {}],
    ['it is too large for one node', { parts: { make: async () => Buffer.alloc(MAX_BUNDLE_BYTES + 1) } }, {}],
    [
      'it is too large for so many agents',
      { agents: names(2_000), parts: { make: async () => Buffer.alloc(9_000) } },
      {},
    ],
    ['ZooKeeper does not answer in time', { session: { create: refusedBy('DEADLINE') as never } }, {}],
    ['the app is open', { parts: { access: openAccess } }, { refused: 'open' }],
    ['its node is open', { session: { getAcl: async () => ({ acl: [...OPEN], version: 0 }) } }, { refused: 'open' }],
    ['the connection is not encrypted', { parts: { isPrivate: false } }, { refused: 'clear' }],
    ['an earlier version made the app', { session: { getAcl: async () => null } }, { refused: 'not set up' }],
    ['its node is missing', { session: { create: refusedBy('NO_NODE') as never } }, { refused: 'not set up' }],
    ['it may not write there', { session: { create: refusedBy('NO_AUTH') as never } }, { refused: 'not set up' }],
  ])('publishes without one where %s', async (_, given, expected) => {
    expect(await attempt(given).result).toEqual(expected);
  });

  it.each<[string, Given]>([
    ['git', { parts: { make: () => never } }],
    ['ZooKeeper', { session: { create: () => never } }],
    ['a list', { session: { children: () => never } }],
  ])(`waits for %s no longer than ${BUNDLE_MS} ms`, async (_, given) => {
    const { result, clock } = attempt(given);
    let ended: unknown;
    void result.then((value) => {
      ended = value;
    });
    expect(await clock.run(BUNDLE_MS - 1, () => ended !== undefined)).toBe(false);
    expect(await clock.run(BUNDLE_MS, () => ended !== undefined)).toBe(true);
    expect(ended).toEqual({});
  });

  it('removes all but the newest three', async () => {
    const removed: string[] = [];
    const old = ['a', 'b', 'c', 'd'];
    const { result } = attempt({
      session: {
        children: async (path: string) => (path === paths.online ? names(2) : old),
        exists: async (path: string) => ({ czxid: BigInt(path.charCodeAt(path.length - 1)) }) as never,
        remove: async (path: string) => void removed.push(path),
      },
    });
    expect((await result).member).toBeDefined();
    expect(removed.toSorted()).toEqual([paths.bundle('a'), paths.bundle('b')]);
  });
});

describe('the limit of a bundle', () => {
  it.each([
    [0, 256 * 1024],
    [2, 256 * 1024],
    [64, 256 * 1024],
    [65, 258_111],
    [1_000, 16_777],
    [5_000, 3_355],
  ])('for %i agents is %i bytes', (online, bytes) => {
    expect(bundleLimit(online)).toBe(bytes);
  });
});

describe('the member of a target', () => {
  const member = { digest: 'a'.repeat(64), base: OLD, size: 6, asks: 'web-1' };
  it.each([
    [{ ...member, digest: '../config' }],
    [{ ...member, digest: 'A'.repeat(64) }],
    [{ ...member, base: 'main' }],
    [{ ...member, size: 0 }],
    [{ ...member, size: MAX_BUNDLE_BYTES + 1 }],
    [{ ...member, size: '6' }],
    [{ ...member, asks: 7 }],
    [null],
    ['x'],
    [[]],
  ])('%j counts as none', (value) => {
    expect(parseBundle(value)).toBeUndefined();
  });
});
