import { describe, expect, it } from 'vitest';
import type { SharedState } from '../../../fleet/shared-state.ts';
import { createLog } from '../../../runtime/log.ts';
import type { Target } from '../../../schemas/target.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { checkSeen, decideLook, type LookParts } from '../../../serve/webhooks/look.ts';
import { startLooks } from '../../../serve/webhooks/looks.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const [OLD, NEW] = ['a'.repeat(40), 'b'.repeat(40)] as [CommitId, CommitId];
const targetOf = (commitId: CommitId) => ({ url: 'https://x.example/s.git', commitId, relativePath: 's' }) as Target;
const showing = (target: Target | null) =>
  ({ config: { target, refused: null } }) as unknown as Pick<SharedState, 'config'>;

describe('a look', () => {
  it.each([
    ['publishes a new tip', OLD, NEW, targetOf(OLD), 'publish'],
    ['leaves a rollback from the tip that it saw', NEW, NEW, targetOf(OLD), 'nothing'],
    ['notes a tip that another publisher was faster with', OLD, NEW, targetOf(NEW), 'note'],
    ['of a new installation changes nothing that is deployed', '', NEW, targetOf(OLD), 'note'],
    ['of a new installation fills an empty app', '', NEW, null, 'publish'],
  ] as const)('%s', (_, seen, tip, shown, decision) => {
    expect(decideLook(seen, tip, targetOf(tip), showing(shown))).toBe(decision);
  });
});

it('ends the try if another receiver changed what was seen', async () => {
  const found = (version: number | null) =>
    ({
      installation: { name: 'shop' },
      publishing: {
        znodes: { serveSeenBy: (name: string) => `/seen/${name}` },
        session: { get: async () => (version === null ? null : { stat: { version } }) },
      },
    }) as unknown as LookParts;
  await expect(checkSeen(found(3), 3)).resolves.toBeUndefined();
  await expect(checkSeen(found(4), 3)).rejects.toMatchObject({ code: 'CONFLICT' });
  await expect(checkSeen(found(null), 3)).rejects.toMatchObject({ code: 'CONFLICT' });
});

describe('the looks of an installation', () => {
  function started(look: () => Promise<void> = async () => {}) {
    const clock = createVirtualClock();
    const stop = new AbortController();
    const begun: number[] = [];
    const parts = { clock, random: () => 0.5, log: createLog({ level: 'silent' }), pollMs: 600_000 };
    const looks = startLooks(
      {
        ...parts,
        look() {
          begun.push(clock.monotonic());
          return look();
        },
      },
      stop.signal,
    );
    return { clock, looks, begun, stop };
  }

  it('are at least 10 s apart, whatever rings a thousand times', async () => {
    const { clock, looks, begun, stop } = started();
    for (let n = 0; n < 1_000; n += 1) {
      looks.ring();
      await clock.run(n * 30);
    }
    const gaps = begun.slice(1).map((at, n) => at - (begun[n] as number));
    expect(begun.length).toBeGreaterThanOrEqual(3);
    expect(begun.length).toBeLessThanOrEqual(4);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(10_000);
    stop.abort();
    await looks.ended;
  });

  it('happen without a delivery, and soon again after a failure', async () => {
    let fails = true;
    const { clock, looks, begun, stop } = started(async () => {
      if (fails) throw new Error('the origin is away');
    });
    await clock.run(20_000);
    expect(begun).toHaveLength(2);
    fails = false;
    await clock.run(3_600_000);
    expect(begun.length).toBeGreaterThanOrEqual(7);
    stop.abort();
    await looks.ended;
  });
});
