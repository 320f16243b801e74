import type { AgentShape } from '../../../serve/api/answers.ts';
import type { HistoryRecord, RolloutShape } from '../../../serve/api/parts.ts';
import type { AgentColumns, AgentRow, Alive, Delta, Snapshot } from '../../../serve/api/shapes.ts';

/** Snapshots as `gitfleet serve` sends them, for fleets of any size and temper. One time for all, so that all is equal. */

export const AT = Date.UTC(2026, 11, 1, 12, 0, 0);
export const commitOf = (n: number): string => n.toString(16).padStart(8, '0').repeat(5);
export const [NEW, OLD] = [commitOf(0x3f2a9c1b), commitOf(0x55a1ad3c)];
const URL = 'https://github.com/example/shop.git';
const VERSION = '2a.1767000000000';

export const rowOf = (agentId: string, more: Partial<AgentRow> = {}): AgentRow => ({
  agentId,
  standing: 'active',
  phase: 'active',
  phaseAt: AT - 240_000,
  activeCommit: NEW,
  deployment: 12,
  current: true,
  error: null,
  waitingFor: null,
  attempts: 1,
  retries: false,
  suspended: null,
  override: null,
  drift: 0,
  problem: null,
  host: `${agentId}.example.com`,
  labels: {},
  agentVersion: '0.1.0',
  onlineSince: AT - 86_400_000,
  reportedAt: AT - 240_000,
  part: 'done',
  canary: false,
  falsePresence: false,
  ...more,
});

export const failedRow = (agentId: string, more: Partial<AgentRow> = {}): AgentRow =>
  rowOf(agentId, {
    standing: 'failed',
    phase: 'failed',
    activeCommit: OLD,
    phaseAt: AT - 9_000,
    reportedAt: AT - 9_000,
    attempts: 1,
    error: {
      code: 'ACTIVATE_FAILED',
      reason: 'back on 55a1ad3c: /bin/sh exited with 1: shop: no such table: prices',
      hint: 'the output is in /var/lib/gitfleet/apps/app+shop/output/activate.log; correct the activate step and publish again',
      next: 'stall',
    },
    ...more,
  });

export function columnsOf(rows: readonly AgentRow[]): AgentColumns {
  const names = Object.keys(rowOf('x')) as (keyof AgentRow)[];
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])])) as unknown as AgentColumns;
}

export const recordOf = (number: number, more: Partial<HistoryRecord> = {}): HistoryRecord => ({
  number,
  target: {
    url: URL,
    commitId: number === 12 ? NEW : commitOf(number * 7_654_321),
    relativePath: 'shop',
    signed: false,
  },
  by: 'ann',
  reason: TITLES[number % TITLES.length] as string,
  at: AT - (13 - number) * 3_600_000,
  via: 'hook',
  ref: 'refs/heads/main',
  previous: number === 1 ? null : number - 1,
  adopts: null,
  returnsTo: null,
  lifted: null,
  underHold: null,
  quarantined: null,
  outcome: {
    state: 'proven',
    at: AT - (13 - number) * 3_600_000 + 40_000,
    reached: 40,
    expected: 40,
    missing: [],
    by: 'web-1',
  },
  ...more,
});

const TITLES = [
  'Prices go up',
  'Search finds plurals',
  'Cart survives a restart',
  'Invoices in the language of the customer',
  'Faster start page',
];

const POLICY = {
  canary: 1,
  maxParallel: '25%',
  soak: '1m',
  promote: 'auto',
  failureBudget: 0,
  offlineBudget: '50%',
  deadline: '15m',
  onFailure: 'rollback',
} as const;

export const rolloutOf = (more: Partial<RolloutShape> = {}): RolloutShape => ({
  deployment: 12,
  state: 'running',
  waves: true,
  wave: 1,
  ahead: [],
  canary: [],
  members: [],
  startedAt: AT - 300_000,
  waveAt: AT - 20_000,
  soakAt: null,
  activateAt: null,
  leader: 'web-1',
  reason: '',
  paused: null,
  late: [],
  excused: [],
  failures: [],
  steered: [],
  policy: POLICY,
  wayBack: false,
  base: { deployment: 11, commitId: OLD },
  ...more,
});

const FRESH = { now: AT, asOf: AT, clock: 'ensemble', zookeeper: { state: 'connected', stale: null } } as const;

export function snapshotOf(rows: readonly AgentRow[], more: Partial<Snapshot> = {}): Snapshot {
  const online = rows.filter(({ standing }) => standing !== 'offline' && standing !== 'suspended');
  const counts: Record<string, number> = {};
  for (const { standing } of rows) counts[standing] = (counts[standing] ?? 0) + 1;
  const deployment = recordOf(12, { reason: 'Prices go up', at: AT - 300_000, outcome: null });
  return {
    app: '/app/shop',
    version: '0.1.0',
    links: [],
    ...FRESH,
    target: deployment.target,
    targetVersion: VERSION,
    targetAt: deployment.at,
    refused: null,
    deployment,
    reached: online.filter(({ standing }) => standing === 'active').length,
    expected: online.length,
    counts: counts as Snapshot['counts'],
    rollout: null,
    policy: POLICY,
    coordinator: 'web-1',
    hold: null,
    quarantine: [],
    cutover: null,
    services: [
      { service: 'shop/web', instances: 38, least: 20, out: 2 },
      { service: 'shop/search', instances: 1, least: 2, out: 1 },
    ],
    flags: [
      { name: 'new-checkout', state: 'ENABLED', defaultVariant: 'on', variants: ['on', 'off'], targeting: false },
      { name: 'search-v2', state: 'ENABLED', defaultVariant: 'off', variants: ['on', 'off'], targeting: true },
      { name: 'winter-sale', state: 'DISABLED', defaultVariant: 'off', variants: ['on', 'off'], targeting: false },
    ],
    enrolment: { open: true, notEnrolled: [] },
    ignored: 0,
    unread: 0,
    left: [],
    findings: [
      {
        check: 'signatures',
        verdict: 'warn',
        says: 'signatures are not required: who can write config chooses the commit',
        hint: 'docs/security.md says how to require them',
      },
    ],
    agents: columnsOf(rows),
    history: [deployment, ...Array.from({ length: 11 }, (_, i) => recordOf(11 - i, OUTCOMES[i] ?? {}))],
    acts: [
      { number: 3, kind: 'unhold', by: 'ben', reason: '', at: AT - 5_000_000, what: '' },
      { number: 2, kind: 'hold', by: 'ben', reason: 'inventory', at: AT - 9_000_000, what: 'until a person ends it' },
    ],
    ...more,
  };
}

const OUTCOMES: readonly Partial<HistoryRecord>[] = [
  {},
  { via: 'rollback', returnsTo: 8, reason: 'customers complain', by: 'ben', ref: null },
  {
    reason: 'A mistake',
    outcome: {
      state: 'failed',
      at: AT - 14_000_000,
      reached: 0,
      expected: 40,
      missing: [{ agentId: 'web-1', code: 'ACTIVATE_FAILED' }],
      by: 'web-1',
      reason: 'the canary failed',
    },
  },
];

export const aliveAt = (ms: number, more: Partial<Alive> = {}): Alive => ({
  ...FRESH,
  now: AT + ms,
  asOf: AT + ms,
  ...more,
});

export const deltaOf = (ms: number, more: Partial<Delta> = {}): Delta => ({
  ...aliveAt(ms),
  changed: {},
  agents: null,
  gone: [],
  history: [],
  acts: [],
  ...more,
});

/** A fleet in the middle of a rollout: most are done, some are on their way, a few are in trouble. */
export function fleetOf(size: number): AgentRow[] {
  return Array.from({ length: size }, (_, i) => {
    const labels = { zone: `eu-${(i % 3) + 1}`, role: i % 10 === 0 ? 'search' : 'web' };
    const id = `${labels.role}-${i + 1}`;
    const share = (i * 7_919) % 1_000;
    if (size > 3 && share < 3) return failedRow(id, { labels, part: 'now' });
    if (size > 3 && share < 8) return retryingRow(id, labels);
    if (size > 3 && share < 20)
      return rowOf(id, { labels, standing: 'offline', onlineSince: null, reportedAt: AT - 7_200_000, part: 'later' });
    if (size > 3 && share < 60)
      return rowOf(id, {
        labels,
        standing: 'working',
        phase: 'fetching',
        activeCommit: OLD,
        phaseAt: AT - 4_000,
        reportedAt: AT - 4_000,
        part: 'now',
      });
    if (size > 3 && share < 64)
      return rowOf(id, {
        labels,
        standing: 'suspended',
        phase: 'suspended',
        activeCommit: OLD,
        suspended: { by: 'ben', reason: 'disk is being replaced', at: AT - 90_000 },
        part: null,
      });
    return rowOf(id, { labels, canary: i === 0 });
  });
}

const retryingRow = (id: string, labels: Record<string, string>): AgentRow =>
  failedRow(id, {
    labels,
    standing: 'working',
    phase: 'fetching',
    attempts: 3,
    part: 'now',
    error: {
      code: 'FETCH_FAILED',
      reason: 'github.com: connection refused',
      hint: 'look at the network of this server',
      next: 'retry',
    },
  });

/** The answer for one agent: what the wall knows, and the last output of its failed step. */
export const detailsOf = (agent: AgentRow, output: string | null = null): AgentShape => ({
  ...FRESH,
  agent,
  presence: null,
  report: {
    agentId: agent.agentId,
    targetVersion: VERSION,
    deployment: agent.deployment,
    phase: agent.phase ?? 'waiting',
    activeCommit: agent.activeCommit,
    desiredCommit: NEW,
    relativePath: 'shop',
    signer: null,
    error: agent.error,
    waitingFor: agent.waitingFor,
    output,
    suspended: agent.suspended,
    override: agent.override,
    drift: [],
    retries: agent.retries,
    objects: null,
    swapped: null,
    unacknowledged: [],
    left: false,
    presenceAt: null,
    attempts: agent.attempts,
    phaseAt: agent.phaseAt ?? AT,
    at: AT,
    agentVersion: '0.1.0',
  },
  missed: [],
});
