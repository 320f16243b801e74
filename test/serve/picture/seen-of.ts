import type { AgentView } from '../../../fleet/fleet-view.ts';
import { parseConfig } from '../../../fleet/shared-state.ts';
import { parseEnrolment } from '../../../schemas/enrolment.ts';
import { parseFlags } from '../../../schemas/flags.ts';
import { parseHold, parseQuarantine } from '../../../schemas/hold.ts';
import { parsePolicy } from '../../../schemas/policy.ts';
import { rollout as rolloutSchema } from '../../../schemas/rollout.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import type { Seen } from '../../../serve/picture/seen.ts';
import { NEW, NOW, outcome, record, URL, VERSION } from '../../publisher/fixtures.ts';

const EMPTY = Buffer.alloc(0);
const TARGET = { url: URL, commitId: NEW, relativePath: 'shop', gitfleet: { deployment: 7 } };

/** A reading of an app with these agents; `over` replaces its parts. */
export function seenOf(views: readonly AgentView[], over: Partial<Seen> = {}): Seen {
  const enrolment = parseEnrolment(EMPTY);
  return {
    config: { ...parseConfig(Buffer.from(JSON.stringify(TARGET))), targetVersion: VERSION, writtenAt: NOW - 300_000 },
    rollout: { rollout: null, foreign: null },
    policy: parsePolicy(EMPTY),
    hold: parseHold(EMPTY),
    quarantine: parseQuarantine(EMPTY),
    flags: parseFlags(EMPTY),
    coordinator: null,
    agents: {
      views: views.toSorted((a, b) => (a.agentId < b.agentId ? -1 : 1)),
      ignored: 0,
      unread: 0,
      notEnrolled: [],
      enrolment,
    },
    deployments: [{ record: record(), targetVersion: VERSION }],
    acts: [],
    services: [],
    missing: [],
    ...over,
  };
}

/** In waves, of the current target. */
export const inWaves = (over: Record<string, unknown> = {}): Seen['rollout'] => ({
  rollout: rolloutSchema().parse({ deployment: 7, targetVersion: VERSION, state: 'running', permits: true, ...over }),
  foreign: null,
});

/** The newest 200 deployments of an app that deploys several times a day. */
export const LONG_HISTORY: Seen['deployments'] = Array.from({ length: 200 }, (_, at) => {
  const number = 207 - at;
  const hex = (salt: number) => ((number * 2_654_435_761 * salt) % 2 ** 32).toString(16).padStart(8, '0');
  const commitId = [3, 5, 7, 11, 13].map(hex).join('');
  return {
    record: record({
      number,
      at: NOW - at * 7_654_321,
      previous: number - 1,
      by: at % 3 === 0 ? 'ann' : 'bob',
      reason: `Change ${number}: ${hex(17)} of the shop`,
      target: { url: URL, commitId, relativePath: 'shop' },
      outcome: outcome('proven', 1_000, 1_000),
    }),
    targetVersion: (at === 0 ? VERSION : `${(0x1f - at) >>> 0}.${NOW}`) as TargetVersion,
  };
});
