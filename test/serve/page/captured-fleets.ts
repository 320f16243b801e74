import type { CommitId } from '../../../schemas/values.ts';
import type { Snapshot } from '../../../serve/api/shapes.ts';
import { AT, failedRow, fleetOf, rolloutOf, rowOf, snapshotOf } from './fixture.ts';

export { startFixtureServer } from './fixture-server.ts';

/** The fleets of the pictures in the docs (scripts/page-captures.mjs). */

const POLICY_WITH_CANARY = rolloutOf();

/** Forty servers; the canary and two waves are done, the third halts because one server failed. */
function inRollout(): Snapshot {
  const zone = (i: number) => ({ zone: `eu-${(i % 3) + 1}` });
  const rows = Array.from({ length: 40 }, (_, i) => rowOf(`web-${i + 1}`, { labels: zone(i), canary: i === 0 }));
  const now = ['web-2', 'web-31', 'web-32', 'web-33', 'web-34', 'web-35', 'web-36'];
  const changed = rows.map((row, i) => {
    if (row.agentId === 'web-2') return failedRow('web-2', { labels: zone(i), part: 'now' });
    if (row.agentId === 'web-31' || row.agentId === 'web-32') return { ...row, part: 'now' as const };
    if (now.includes(row.agentId)) {
      return {
        ...row,
        standing: 'working' as const,
        phase: i % 2 === 0 ? ('awaiting' as const) : ('verifying' as const),
        phaseAt: AT - 6_000,
        part: 'now' as const,
        activeCommit: OLD_COMMIT,
      };
    }
    if (i === 37)
      return {
        ...row,
        standing: 'offline' as const,
        onlineSince: null,
        reportedAt: AT - 7_200_000,
        part: 'later' as const,
        activeCommit: OLD_COMMIT,
      };
    if (i > 36)
      return {
        ...row,
        standing: 'working' as const,
        phase: 'awaiting' as const,
        phaseAt: AT - 250_000,
        part: 'later' as const,
        activeCommit: OLD_COMMIT,
      };
    return row;
  });
  return snapshotOf(changed, {
    rollout: rolloutOf({
      wave: 3,
      canary: ['web-1'],
      members: now,
      ahead: [3],
      state: 'halted',
      reason: '1 agent failed: web-2',
      failures: [
        { agentId: 'web-2', code: 'ACTIVATE_FAILED', reason: 'back on 55a1ad3c: shop: no such table: prices' },
      ],
      steered: [{ verb: 'resume', by: 'ben', reason: 'lunch is over', at: AT - 120_000 }],
    }),
    hold: { by: 'ben', reason: 'inventory', at: AT - 60_000, end: AT + 3_600_000 },
    quarantine: [{ commitId: '9c'.repeat(20) as CommitId, by: 'ann', reason: 'customers complain', at: AT - 600_000 }],
  });
}

const OLD_COMMIT = POLICY_WITH_CANARY.base?.commitId ?? '';

export function capturedFleet(name: string): Snapshot {
  switch (name) {
    case 'rollout':
      return inRollout();
    case 'thousand':
      return snapshotOf(fleetOf(1_000));
    case 'ten-thousand':
      return snapshotOf(fleetOf(10_000));
    case 'empty':
      return snapshotOf([], {
        target: null,
        targetVersion: null,
        deployment: null,
        history: [],
        acts: [],
        findings: [],
        flags: [],
        services: [],
      });
    default:
      return snapshotOf(
        [1, 2, 3].map((n) => rowOf(`web-${n}`)),
        { findings: [] },
      );
  }
}
