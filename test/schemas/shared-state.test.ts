import { describe, expect, it } from 'vitest';
import {
  encodeHold,
  encodeQuarantine,
  type Hold,
  inForce,
  MAX_QUARANTINED,
  parseHold,
  parseQuarantine,
} from '../../schemas/hold.ts';
import { policy } from '../../schemas/policy.ts';
import {
  encodePermit,
  encodeRollout,
  parseOrders,
  parsePermit,
  parseRollout,
  type Rollout,
  unknownState,
} from '../../schemas/rollout.ts';
import { targetVersionOf } from '../../schemas/target-version.ts';
import type { CommitId } from '../../schemas/values.ts';
import { COMMIT, PATH, URL } from './target-corpus.ts';

const version = targetVersionOf({ mzxid: 0x2_0000_0001n, mtime: 1_700_000_000_000 });
const rollout: Rollout = {
  deployment: 12,
  targetVersion: version,
  leader: { agentId: 'web-1', czxid: '200000000' },
  wave: 1,
  state: 'paused',
  base: { deployment: 11, url: URL, commitId: COMMIT, relativePath: PATH },
  paused: { by: 'ann', reason: 'lunch', at: 1_700_000_000_001 },
  permits: true,
  policy: policy().parse({ canary: 1, soak: '5m' }),
  startedAt: 1_700_000_000_000,
  canary: ['web-1'],
  members: ['web-2', 'web-3'],
  waveAt: 1_700_000_000_000,
  activateAt: { at: 1_700_000_002_000, epoch: 2 },
  cleared: ['web-1'],
  must: ['activateAt'],
  soakAt: null,
  promoted: null,
  late: [],
  latePermitted: [],
  lateUnable: [],
  revoked: [],
  wayBack: false,
  setBack: false,
  setBackPassed: false,
  excused: [],
  steered: [{ verb: 'pause', by: 'ann', reason: 'lunch', at: 1_700_000_000_001 }],
  reason: '',
  failures: [{ agentId: 'web-2', code: 'HEALTH', reason: 'GET /up: 500' }],
};

describe('rollout', () => {
  it('is read as it was written', () => {
    expect(parseRollout(encodeRollout(rollout))).toEqual(rollout);
  });

  it('is read leniently: members of a newer coordinator are ignored, absent ones have their default', () => {
    const bytes = Buffer.from(JSON.stringify({ deployment: 1, targetVersion: version, state: 'running', later: [1] }));
    expect(parseRollout(bytes)).toEqual({
      deployment: 1,
      targetVersion: version,
      leader: null,
      wave: 0,
      state: 'running',
      base: null,
      paused: null,
      permits: true,
      policy: null,
      startedAt: 0,
      canary: [],
      members: [],
      waveAt: 0,
      activateAt: null,
      cleared: [],
      must: [],
      soakAt: null,
      promoted: null,
      late: [],
      latePermitted: [],
      lateUnable: [],
      revoked: [],
      wayBack: false,
      excused: [],
      steered: [],
      reason: '',
      setBack: false,
      setBackPassed: false,
      failures: [],
    });
  });

  it.each(['sunrise', 'constructor', '__proto__'])(
    'is of a newer version where a member has to be understood that this version does not know: %s',
    (member) => {
      const bytes = Buffer.from(JSON.stringify({ ...rollout, must: ['activateAt', member] }));
      expect([parseRollout(bytes), parseOrders(bytes)]).toEqual([null, null]);
      expect(unknownState(bytes)).toEqual({ targetVersion: version, state: `paused with ${member}` });
      expect(unknownState(encodeRollout(rollout))).toBeNull();
    },
  );

  it.each(['', 'x', '{}', '[]', JSON.stringify({ ...rollout, targetVersion: 'latest' })])('%j is none', (text) => {
    expect(parseRollout(Buffer.from(text))).toBeNull();
  });

  it('is never written with what would not be read', () => {
    expect(() => encodeRollout({ ...rollout, deployment: 0 })).toThrow();
  });
});

describe('a permit', () => {
  it('is one targetVersion', () => {
    expect(parsePermit(encodePermit(version))).toBe(version);
    for (const text of ['', 'yes', `${version}\n`, `${version} ${version}`])
      expect(parsePermit(Buffer.from(text))).toBeNull();
  });
});

describe('the hold', () => {
  const hold: Hold = { reason: 'sale', by: 'ann', at: 1_000, end: 5_000 };

  it('is in force until its end, or until a person ends it', () => {
    expect(parseHold(encodeHold(hold))).toEqual({ value: hold, unreadable: null });
    expect([inForce(hold, 4_999), inForce(hold, 5_000)]).toEqual([hold, null]);
    expect(inForce({ ...hold, end: null }, 1e15)).toEqual({ ...hold, end: null });
    expect(parseHold(encodeHold(null))).toEqual({ value: null, unreadable: null });
  });

  it('counts as on where it cannot be read', () => {
    for (const text of ['x', '{}', '[]', ' ']) expect(parseHold(Buffer.from(text)).unreadable).not.toBeNull();
  });
});

describe('the quarantine', () => {
  const entry = { commitId: COMMIT as CommitId, reason: 'health', by: 'coordinator', at: 1_000 };

  it('keeps the newest 200', () => {
    const many = Array.from({ length: 300 }, (_, n) => ({ ...entry, at: 1_000 - n }));
    const read = parseQuarantine(encodeQuarantine(many));
    expect(read.value).toEqual(many.slice(0, MAX_QUARANTINED));
    expect(parseQuarantine(encodeQuarantine([]))).toEqual({ value: [], unreadable: null });
  });

  it('counts as on where it cannot be read', () => {
    for (const text of ['x', '{}', '[]', '{"commits":[{}]}']) {
      expect(parseQuarantine(Buffer.from(text)).unreadable).not.toBeNull();
    }
  });
});
