import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bring, createBundles } from '../../../agent/coordination/bundles.ts';
import { isCanaryOf, NOTHING_VIEWED, type RolloutView } from '../../../agent/coordination/clearance.ts';
import type { WantedTarget } from '../../../agent/state/wanted.ts';
import type { CommitId, TargetVersion } from '../../../schemas/values.ts';
import { silentLog } from '../../support/log.ts';

const COMMIT = 'a'.repeat(40) as CommitId;
const BASE = 'b'.repeat(40) as CommitId;
const VERSION = '1f.1795230000000' as TargetVersion;
const PACK = Buffer.from('a pack');
const DIGEST = createHash('sha256').update(PACK).digest('hex');
const MEMBER = { digest: DIGEST, base: BASE, size: PACK.length, asks: 'web-9' };
const ENVELOPE = { signer: 'ann', digest: '0'.repeat(64), issuedAt: 1 };
const NEVER = new AbortController().signal;

const wanted = (more: object = {}): WantedTarget =>
  ({
    kind: 'target',
    targetVersion: VERSION,
    target: {
      url: 'https://git.example.com/shop.git',
      commitId: COMMIT,
      relativePath: 'shop',
      gitfleet: { bundle: MEMBER },
      envelope: ENVELOPE,
      ...more,
    },
  }) as unknown as WantedTarget;

interface Given {
  readonly objects?: 'origin' | 'signed';
  readonly data?: Buffer | null | Error;
  readonly view?: Partial<RolloutView>;
  readonly took?: 'pack' | Error | null;
}

/** What an agent does with a target: in order, what it asked. */
async function run({ objects = 'signed', data = PACK, view = {}, took = null }: Given, target = wanted()) {
  const asked: string[] = [];
  const bundles = createBundles({
    session: {
      get: async (path: string) => {
        asked.push(path);
        if (data instanceof Error) throw data;
        return data && ({ data, stat: {} } as never);
      },
    },
    path: (digest) => `objects/${digest.slice(0, 4)}`,
    agentId: 'web-1',
    objects: () => objects,
    isCanary: (target) => isCanaryOf({ ...NOTHING_VIEWED, ...view }, 'web-1', target),
    log: silentLog,
  });
  const store = {
    take: async (_: unknown, { base, pack }: { base: CommitId; pack: Buffer }) => {
      asked.push(`take ${pack} on ${base.slice(0, 1)}`);
      if (took instanceof Error) throw took;
      return took;
    },
  };
  const fetch = async () => {
    asked.push('fetch');
    return { network: true };
  };
  const brought = await bring({ store, bundles }, target, fetch, NEVER);
  return { brought, asked };
}

const TAKEN = [`objects/${DIGEST.slice(0, 4)}`, 'take a pack on b'];
const FETCHED = ['fetch'];
const rollout = (more: object) => ({ rollout: { targetVersion: VERSION, permits: true, canary: ['web-1'], ...more } });

describe('an agent with objects: signed', () => {
  it('takes the bundle of an accepted target, without a turn at the origin', async () => {
    expect(await run({})).toEqual({ brought: { from: 'bundle', passedOver: null }, asked: TAKEN });
  });

  it.each<[string, Given, WantedTarget | undefined, string | null, readonly string[]]>([
    ['its settings say origin', { objects: 'origin' }, undefined, null, FETCHED],
    ['the target has no accepted signature', {}, wanted({ envelope: null }), null, FETCHED],
    ['the target names no bundle', {}, wanted({ gitfleet: {} }), null, FETCHED],
    ['it is the one that asks', {}, wanted({ gitfleet: { bundle: { ...MEMBER, asks: 'web-1' } } }), null, FETCHED],
    ['it is in the canary', { view: rollout({}) as never }, undefined, null, FETCHED],
    ['the node is absent', { data: null }, undefined, 'absent', [...TAKEN.slice(0, 1), ...FETCHED]],
    ['it has other bytes', { data: Buffer.from('b pack') }, undefined, 'altered', [...TAKEN.slice(0, 1), ...FETCHED]],
    ['it has more bytes', { data: Buffer.from('a pack ') }, undefined, 'altered', [...TAKEN.slice(0, 1), ...FETCHED]],
    ['ZooKeeper is away', { data: new Error('away') }, undefined, 'unread', [...TAKEN.slice(0, 1), ...FETCHED]],
    ['the store fails', { took: new Error('no room') }, undefined, 'store', [...TAKEN, ...FETCHED]],
    ['git does not take it', { took: 'pack' }, undefined, 'pack', [...TAKEN, ...FETCHED]],
  ])('asks the origin where %s', async (_, given, target, passedOver, asked) => {
    expect(await run(given, target)).toEqual({ brought: { from: 'origin', passedOver }, asked });
  });

  it('needs no word of the origin for the base of a rollout whose canary it is', async () => {
    const base = { ...wanted(), meanwhile: 3 };
    expect((await run({ view: rollout({}) as never }, base)).brought.from).toBe('bundle');
  });

  it.each<[string, object]>([
    ['of another target', { targetVersion: 'other' }],
    ['in which others are', { canary: ['web-2'] }],
  ])('takes it all the same where a rollout has a canary %s', async (_, more) => {
    expect((await run({ view: rollout(more) as never })).brought.from).toBe('bundle');
  });
});
