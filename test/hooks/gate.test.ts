import { describe, expect, it } from 'vitest';
import { askGate, type GateParts } from '../../hooks/gate.ts';
import type { Code } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';
import { encodeHold, encodeQuarantine, parseHold, parseQuarantine } from '../../schemas/hold.ts';

const COMMIT = 'c'.repeat(40);
const NOTHING = Buffer.alloc(0);
const fails = (code: Code) => async () => {
  throw new FleetError({ code, reason: 'because', hint: 'do', next: 'stall' });
};
const brakes = (hold: Buffer, quarantine: Buffer = NOTHING) => ({
  readBrakes: async () => ({ now: 1_000, hold: parseHold(hold), quarantine: parseQuarantine(quarantine) }),
});
const releaseFile = (text: string) => ({
  readReleaseFile: async () => ({ kind: 'file' as const, content: Buffer.from(text) }),
});

const ask = (more: Partial<GateParts> = {}) =>
  askGate(
    {
      ...brakes(NOTHING),
      contains: async (ids) => ids.filter((id) => id.startsWith('e')),
      force: false,
      readReleaseFile: async () => null,
      checkContent: async () => {},
      ...more,
    },
    COMMIT,
  );

describe('the gate', () => {
  const held = (end: number | null) => encodeHold({ reason: 'fair week', by: 'ann', at: 1, end });
  const bad = (commitId: string) => encodeQuarantine([{ commitId, reason: 'burns', by: 'ann', at: 1 } as never]);

  it.each([
    ['nothing is against it', {}],
    ['the hold is over', brakes(held(999))],
    ['another commit is in quarantine', brakes(NOTHING, bad('d'.repeat(40)))],
    ['it contains one, and is said to fix it', { ...brakes(NOTHING, bad('e'.repeat(40))), force: true }],
    ['its gitfleet.yml is empty', releaseFile('')],
  ])('is open: %s', async (_, parts) => {
    expect(await ask(parts)).toEqual({ kind: 'open' });
  });

  it.each([
    ['somebody holds publishing', brakes(held(null)), 'HOLD', /ann.*fair week/],
    ['the hold cannot be read', brakes(Buffer.from('?')), 'HOLD', /no hold/],
    ['the commit is in quarantine', brakes(NOTHING, bad(COMMIT)), 'QUARANTINED', /burns/],
    ['it contains a commit in quarantine', brakes(NOTHING, bad('e'.repeat(40))), 'QUARANTINED', /contains.*burns/],
    [
      'the quarantine cannot be read, whatever is said',
      { ...brakes(NOTHING, Buffer.from('?')), force: true },
      'QUARANTINED',
      /no list/,
    ],
    ['gitfleet.yml has an unknown member', releaseFile('prepair: [make]\n'), 'RELEASE_FILE', /prepair/],
    ['gitfleet.yml is no YAML', releaseFile('a: [\n'), 'RELEASE_FILE', /gitfleet\.yml/],
    [
      'gitfleet.yml is a link',
      { readReleaseFile: async () => ({ kind: 'other' as const }) },
      'RELEASE_FILE',
      /no file/,
    ],
    ['the tree is hostile', { checkContent: fails('UNSAFE_TREE') }, 'UNSAFE_TREE', /because/],
  ])('refuses: %s', async (_, parts, code, reason) => {
    const answer = await ask(parts);
    expect(answer).toMatchObject({ kind: 'refused', failure: { code } });
    expect(answer.kind !== 'open' && answer.failure.message).toMatch(reason);
  });

  it.each(['UNREACHABLE', 'AUTH_FAILED', 'APP_MISSING', 'DEADLINE'] as const)('has no answer: %s', async (code) => {
    expect(await ask({ readBrakes: fails(code) })).toMatchObject({ kind: 'unknown', failure: { code } });
  });

  it('needs no ZooKeeper to refuse what the commit itself forbids', async () => {
    const answer = await ask({ ...releaseFile('nonsense: 1\n'), readBrakes: fails('UNREACHABLE') });
    expect(answer).toMatchObject({ kind: 'refused', failure: { code: 'RELEASE_FILE' } });
  });
});
