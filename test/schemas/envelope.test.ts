import { describe, expect, it } from 'vitest';
import { deployment, encodeDeployment, parseDeployment } from '../../schemas/deployment.ts';
import { encodeRollout, parseOrders, parseRollout, rollout } from '../../schemas/rollout.ts';
import { ANY_URL, coreOf, encodeTarget, membersOf, parseTarget, targetOf } from '../../schemas/target.ts';

const contract = { url: 'https://git.example.com/shop.git', commitId: 'a'.repeat(40), relativePath: 'shop' };
const envelope = { signed: Buffer.from('{}').toString('base64'), signature: '-----BEGIN SSH SIGNATURE-----\n' };
const core = { ...contract, ...envelope };
const record = {
  number: 4,
  nonce: 'n',
  previous: null,
  by: '',
  reason: '',
  at: 0,
  via: 'publish',
  chain: null,
} as const;

describe('an envelope is kept whole', () => {
  it.each([core, contract])('by a record, a base, and what is made of them: %#', (kept) => {
    const written = encodeDeployment(deployment.parse({ ...record, target: kept }));
    expect(parseDeployment(written)?.target).toEqual(kept);
    const base = { deployment: 4, ...kept };
    const data = encodeRollout(rollout().parse({ deployment: 5, targetVersion: '1.1', state: 'running', base }));
    expect(parseRollout(data)?.base).toEqual(base);
    expect(parseOrders(data)?.base).toEqual(base);
    const target = targetOf(kept);
    expect(coreOf(target)).toEqual(kept);
    const config = parseTarget(encodeTarget(target), ANY_URL);
    expect(config.ok && coreOf(config.target)).toEqual(kept);
    expect(JSON.parse(encodeTarget(target).toString())).toEqual(membersOf(kept));
  });
});
