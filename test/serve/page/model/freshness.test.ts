import { describe, expect, it } from 'vitest';
import { ageOf, type Heard, NOTHING_HEARD, SILENCE_MS } from '../../../../serve/page/model/freshness.ts';

const HEARD: Heard = { at: 1_000, ensemble: { now: 500_000, at: 1_000 }, asOf: 499_900, zookeeper: null, lost: null };

describe('how old the page is', () => {
  it('is not known before the first message', () => {
    expect(ageOf(NOTHING_HEARD, 5_000)).toBeNull();
  });

  it('counts by the clock of the ensemble, whatever the own clock says', () => {
    expect(ageOf(HEARD, 1_600)).toEqual({ asOf: 499_900, now: 500_600, stale: null });
  });

  it('is stale before two seconds without a sign of life are over, also if no connection broke', () => {
    expect(SILENCE_MS).toBeLessThan(2_000);
    expect(ageOf(HEARD, 1_000 + SILENCE_MS - 1)?.stale).toBeNull();
    expect(ageOf(HEARD, 1_000 + SILENCE_MS)?.stale).toEqual({
      since: 500_000,
      words: 'gitfleet serve is not heard (no sign of life)',
    });
  });

  it('is stale at once when the stream is gone', () => {
    expect(ageOf({ ...HEARD, lost: 'refused' }, 1_001)?.stale?.words).toBe('gitfleet serve is not heard (refused)');
  });

  it('is stale while ZooKeeper does not answer, however much the server talks, and as of the last answer', () => {
    const zookeeper = { since: 497_000, reason: 'no answer' };
    expect(ageOf({ ...HEARD, zookeeper }, 1_100)).toEqual({
      asOf: 497_000,
      now: 500_100,
      stale: { since: 497_000, words: 'ZooKeeper does not answer (no answer)' },
    });
  });
});
