import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Accepted,
  accept,
  GOOD_FOR_MS,
  judgeOrder,
  NOTHING_ACCEPTED,
  noteEnded,
  openAccepted,
} from '../../../agent/state/accepted.ts';
import { emptyJournal, type Journal } from '../../../agent/state/journal.ts';
import { classify } from '../../../runtime/errors.ts';
import type { VerifiedEnvelope } from '../../../schemas/target.ts';
import { SEED, seeded } from '../../support/seeded.ts';

const NOW = 1_800_000_000_000;
const DAY = GOOD_FOR_MS;
const at = (n: number): VerifiedEnvelope => ({ signer: 'ann', digest: `d${n}`, issuedAt: NOW + n });
const place = (n: number) => ({ commitId: String(n % 10).repeat(40), relativePath: 'shop' });
const take = (memory: Accepted, n: number) => accept(memory, at(n), place(n));
/** A journal in which the target of `n`, published as `version`, is done, or has failed at `failedAt`. */
const journalOf = (n: number, version: string, failedAt: string | null = null): Journal => {
  const { commitId, relativePath } = place(n);
  const failure = { code: 'STEP_FAILED', reason: '', hint: '', next: 'stall' } as const;
  const progress = { targetVersion: version, commitId, relativePath, attempts: 0, lastFailure: null };
  const gaveUp = failedAt === null ? null : { targetVersion: failedAt, commitId, relativePath, failure, output: '' };
  const activation = failedAt === version ? ('failed' as const) : ('done' as const);
  return { ...emptyJournal, progress: { ...progress, activation }, gaveUp, links: { [relativePath]: commitId } };
};
const well = (memory: Accepted, n: number, now = NOW) => noteEnded(memory, journalOf(n, `${n}.1`), now);
const fails = (memory: Accepted, n: number) => noteEnded(memory, journalOf(n, `${n}.1`, `${n}.1`), NOW);
const code = (memory: Accepted, n: number, now = NOW) => judgeOrder(memory, at(n), now)?.code ?? 'taken';

const A = well(take(NOTHING_ACCEPTED, 1), 1);
const B = take(A, 2);

describe('the signed targets that an agent has accepted', () => {
  it('let it go back to what ended well before the newest, and not to what came before that', () => {
    const C = take(well(B, 2), 3);
    expect([code(C, 3), code(C, 2), code(C, 1)]).toEqual(['taken', 'taken', 'REPLAYED']);
  });

  it('do not count what was accepted and never ended well', () => {
    const C = take(B, 3);
    expect([code(C, 1), code(C, 2)]).toEqual(['taken', 'REPLAYED']);
  });

  it('do not count what ended well and failed after that', () => {
    const failed = fails(well(B, 2), 2);
    expect(code(take(failed, 3), 2)).toBe('REPLAYED');
    expect(code(take(failed, 3), 1)).toBe('taken');
  });

  it('count what ended well though the same commit had failed at an earlier targetVersion', () => {
    const again = noteEnded(B, journalOf(2, '9.1', '2.1'), NOW);
    expect(code(take(again, 3), 2)).toBe('taken');
  });

  it('take no word of the journal about another target, nor about the newest while the good one is shown', () => {
    expect(noteEnded(B, journalOf(1, '1.1'), NOW)).toBe(B);
    const back = take(B, 1);
    expect(noteEnded(back, journalOf(2, '2.1'), NOW)).toBe(back);
    expect(noteEnded(B, emptyJournal, NOW)).toBe(B);
  });

  it('close the way back once the newest has been well for a day, but not under an agent that has gone it', () => {
    const fine = well(B, 2);
    expect(code(fine, 1, NOW + DAY - 1)).toBe('taken');
    expect(code(fine, 1, NOW + DAY)).toBe('REPLAYED');
    const back = take(fine, 1);
    expect(code(back, 1, NOW + DAY)).toBe('taken');
    expect(code(take(back, 2), 1, NOW + DAY)).toBe('REPLAYED');
    // While the newest never ended well, the way back stays open.
    expect(code(B, 1, NOW + 9 * DAY)).toBe('taken');
  });

  it('are changed by no move back: not the newest, nor the good one, nor what comes after', () => {
    const back = take(well(B, 2), 1);
    expect([back.newest?.digest, back.good?.digest]).toEqual(['d2', 'd1']);
    const C = take(back, 3);
    expect([code(C, 1), code(C, 2)]).toEqual(['taken', 'REPLAYED']);
    expect(take(take(back, 2), 2).good?.digest).toBe('d1');
  });

  it('outlive a restart, and an agent does not start without them where they are damaged', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gitfleet-accepted-'));
    const memory = await openAccepted(directory);
    expect(memory.accepted()).toEqual(NOTHING_ACCEPTED);
    await memory.rememberAccepted((before) => take(before, 7));
    expect((await openAccepted(directory)).accepted().newest?.digest).toBe('d7');
    const file = join(directory, 'accepted.json');
    const text = await readFile(file, 'utf8');
    for (const damaged of ['', '{}', text.slice(0, -9), text.replace('"format":1', '"format":2')]) {
      await writeFile(file, damaged);
      const failure = await openAccepted(directory).then(() => null, classify);
      expect(failure).toMatchObject({ code: 'JOURNAL_UNREADABLE', hint: expect.stringContaining('remove the file') });
    }
    await rm(directory, { recursive: true });
  });

  it(`hold their rules whatever is shown in whatever order (seed ${SEED})`, () => {
    const { below, often } = seeded(SEED);
    for (let run = 0; run < 200; run += 1) {
      let [memory, now] = [NOTHING_ACCEPTED, NOW + 1_000];
      const taken: number[] = [];
      for (let step = 0; step < 60; step += 1) {
        const n = below(12);
        now += often(0.1) ? below(DAY) : below(1_000);
        const { newest, good } = memory;
        const verdict = code(memory, n, now);
        if (verdict === 'taken') {
          const isKnown = newest?.digest === `d${n}` || good?.digest === `d${n}`;
          expect(isKnown || NOW + n > (newest?.issuedAt ?? 0)).toBe(true);
          memory = take(memory, n);
          taken.push(n);
          if (often(0.6)) memory = well(memory, n, now);
          else if (often(0.3)) memory = fails(memory, n);
        }
        expect(memory.newest?.issuedAt ?? 0).toBeGreaterThanOrEqual(newest?.issuedAt ?? 0);
        expect(memory.newest?.issuedAt ?? 0).toBe(taken.length === 0 ? 0 : NOW + Math.max(...taken));
        expect((memory.good?.issuedAt ?? 0) < (memory.newest?.issuedAt ?? 1)).toBe(true);
        if (memory.good && good && memory.good.digest !== good.digest) expect(memory.good.digest).toBe(newest?.digest);
      }
    }
  });
});
