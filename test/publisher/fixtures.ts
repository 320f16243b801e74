import type { AgentView } from '../../fleet/fleet-view.ts';
import { parseConfig, type SharedState } from '../../fleet/shared-state.ts';
import { plain, type Screen } from '../../publisher/screens/columns.ts';
import type { StatusPicture } from '../../publisher/screens/status-screen.ts';
import { type Deployment, deployment, type Outcome } from '../../schemas/deployment.ts';
import type { Hold } from '../../schemas/hold.ts';
import { type Presence, presence, type Report, report } from '../../schemas/report.ts';
import { type Rollout, rollout as rolloutSchema } from '../../schemas/rollout.ts';
import type { CommitId, TargetVersion } from '../../schemas/values.ts';

/** A fleet made of plain data at one fixed moment, so that a screen is the same on every machine. */
export const NOW = Date.UTC(2026, 10, 21, 3, 0, 0);
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const VERSION = '1f.1795230000000' as TargetVersion;
const OLDER = '1e.1795229000000';
export const OLD = '1f2e3d4c5b6a79880716253443526170deadbeef' as CommitId;
export const NEW = '9dbcdf1ee3a4b5c6d7e8f90102030405060708ff' as CommitId;
export const URL = 'https://git.example.com/shop.git';

/** As wide as most terminals are; nothing is coloured. */
export const SCREEN: Screen = { columns: 80, wraps: true, now: NOW, paint: plain };
/** The same for what is drawn again in place. */
export const WINDOW: Screen = { ...SCREEN, wraps: false };

export const record = (over: Partial<Deployment> = {}): Deployment =>
  deployment.parse({
    ...{ number: 7, target: { url: URL, commitId: NEW, relativePath: 'shop' }, by: 'ann', reason: 'Prices go up' },
    ...{ via: 'publish', nonce: 'n', previous: 6, at: NOW - 5 * MINUTE, ...over },
  });

export const previous = (): Deployment =>
  record({ number: 6, target: { url: URL, commitId: OLD, relativePath: 'shop' }, at: NOW - 26 * HOUR });

export const outcome = (state: Outcome['state'], reached: number, expected: number): Outcome => ({
  ...{ state, at: NOW - 4 * MINUTE, reached, expected, missing: [], by: 'ann' },
});

export interface AgentFacts extends Partial<Omit<Report, 'agentId'>> {
  readonly online?: Partial<Presence> | false;
  /** Null: it never reported. */
  readonly reportedAt?: number | null;
}

/** Online, and settled on the present target for five minutes, where nothing else is said. */
export function agent(agentId: string, facts: AgentFacts = {}): AgentView {
  const { online, reportedAt = NOW - 5 * MINUTE, ...said } = facts;
  const card = {
    ...{ agentId, instanceId: 'i', machineId: 'm', pid: 4711, host: `${agentId}.example.com` },
    ...{ labels: { role: 'web', zone: 'a' }, agentVersion: '0.1.0', startedAt: NOW - 3 * HOUR },
  };
  const at = reportedAt ?? 0;
  const about = {
    ...{ agentId, targetVersion: VERSION, deployment: 7, phase: 'active', activeCommit: NEW, desiredCommit: NEW },
    ...{ relativePath: 'shop', phaseAt: at - 2 * SECOND, at, agentVersion: '0.1.0' },
  };
  return {
    agentId,
    presence: online === false ? null : presence().parse({ ...card, ...online }),
    report: reportedAt === null ? null : report().parse({ ...about, ...said }),
    reportedAt,
    onlineSince: online === false ? null : (online?.startedAt ?? card.startedAt),
  };
}

export const failure = (code: string, reason: string, hint: string, next: 'retry' | 'wait' | 'stall' | 'bug') => ({
  error: { code, reason, hint, next },
});

const refused = failure(
  'NOT_ALLOWED',
  'url: https://git.example.com/shop.git is below none of the allowed prefixes',
  'add it on that server: --allow-url https://git.example.com/shop.git, or agent.allowUrls',
  'stall',
);
const broken = failure(
  'PREPARE_FAILED',
  'npm ci exited with 1',
  'mend the commit or the server; the old release is served meanwhile',
  'stall',
);
const unreachable = failure(
  'FETCH_FAILED',
  'Could not resolve host: git.example.com',
  'check that this server reaches the repository; the agent retries automatically',
  'retry',
);
const before = { activeCommit: OLD } as const;

/** One of each. */
export const MIXED: readonly AgentView[] = [
  agent('db-1', {
    phase: 'suspended',
    suspended: { by: 'carl', reason: 'disk is swapped', at: NOW - HOUR },
    ...before,
  }),
  agent('web-1'),
  agent('web-2', { phase: 'fetching', reportedAt: NOW - 12 * SECOND, ...before }),
  agent('web-3', { phase: 'failed', attempts: 1, reportedAt: NOW - 4 * MINUTE, ...before, ...refused }),
  agent('web-4', { phase: 'failed', attempts: 3, reportedAt: NOW - 40 * SECOND, ...before, ...unreachable }),
  agent('web-5', {
    ...({
      online: false,
      reportedAt: NOW - 2 * HOUR,
      targetVersion: OLDER,
      deployment: 6,
      desiredCommit: OLD,
    } as const),
    ...before,
  }),
  agent('web-6', {
    online: { startedAt: NOW - 20 * SECOND },
    targetVersion: OLDER,
    reportedAt: NOW - 26 * HOUR,
    ...before,
  }),
  agent('web-7', { phase: 'awaiting', reportedAt: NOW - 30 * SECOND, ...before }),
  agent('web-8', {
    ...{ phase: 'failed', attempts: 1, reportedAt: NOW - 3 * MINUTE, ...before, ...broken },
    output: 'npm ERR! code E404\nnpm ERR! 404 Not Found - GET \u001b[31mleft-pad\u001b[0m\n',
  }),
  agent('web-9', {
    override: { by: 'dora', reason: 'checkout broken here', at: NOW - HOUR },
    // As agents report it: their wish is the kept commit, which no deployment of the present target names.
    ...{ ...before, desiredCommit: OLD, deployment: null },
  }),
];

/** A thousand agents, most of them settled. */
export const THOUSAND: readonly AgentView[] = Array.from({ length: 1_000 }, (_, at) => {
  const id = `web-${String(at + 1).padStart(4, '0')}`;
  if (at % 100 === 7) return agent(id, { phase: 'failed', attempts: 1, ...before, ...refused });
  if (at % 50 === 3) return agent(id, { phase: 'failed', attempts: 2, ...before, ...unreachable });
  if (at % 40 === 1) return agent(id, { phase: 'fetching', reportedAt: NOW - 3 * SECOND, ...before });
  if (at % 200 === 9) return agent(id, { online: false, reportedAt: NOW - 2 * HOUR, ...before });
  return agent(id);
});

/** Names and words that try to look like something else. */
export const ODD: readonly AgentView[] = [
  agent('web-\u001b[31m1\u001b[0m', { activeCommit: '\u001b[2Jxxxxx' }),
  agent('\u202e1-bew', { drift: ['\u001b]0;title\u0007.html'] }),
  agent('店舗サーバー一号', {
    phase: 'failed',
    ...before,
    ...failure('WRITE_FAILED', '書き込めません\nsecond line', 'ディスクを空けてください', 'stall'),
  }),
  agent('a-server-whose-name-is-as-long-as-names-may-be-and-then-some-more-so-that-it-fills-a-line', {
    phase: 'fetching',
    ...before,
  }),
  agent('👩‍💻-laptop', {
    phase: 'waiting',
    waitingFor: 'a lease on the origin, three are before it 🚦🚦🚦',
    ...before,
  }),
];

export interface StateFacts {
  readonly config?: string;
  readonly record?: Deployment | null;
  readonly hold?: Hold | null;
  readonly quarantined?: readonly { commitId: CommitId; reason: string; by: string; at: number }[];
}

const TARGET = JSON.stringify({ url: URL, commitId: NEW, relativePath: 'shop', gitfleet: { deployment: 7 } });

export function state(facts: StateFacts = {}): SharedState {
  const { config = TARGET, record: last = record(), hold = null, quarantined = [] } = facts;
  const mzxid = 0x1fn;
  return {
    config: { version: 7, ...parseConfig(Buffer.from(config)), targetVersion: VERSION, mzxid, mtime: NOW - 5 * MINUTE },
    hold: { version: 0, value: hold, unreadable: null },
    quarantine: { version: 0, value: quarantined, unreadable: null },
    deployments: { version: 7, last: last?.number ?? 0, unreadable: null, before: 'missing' },
    lastRecord: last,
    lastOutcome: null,
    current: last,
  };
}

export const picture = (
  fleet: readonly AgentView[],
  facts: StateFacts = {},
  rollout: Partial<Rollout> | null = null,
): StatusPicture => ({
  ...{ app: '/app/business', state: state(facts), fleet, notEnrolled: [], stale: null, wayBack: null, isLed: true },
  rollout: rollout && rolloutSchema().parse({ deployment: 7, targetVersion: VERSION, ...rollout }),
});
