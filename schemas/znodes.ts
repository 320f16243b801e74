import * as z from 'zod';
import { once } from '../runtime/once.ts';
import { parseDeployment, parseOutcome } from './deployment.ts';
import { parseEnrolled, parseEnrolment } from './enrolment.ts';
import { flagChange, parseFlags } from './flags.ts';
import { parseHold, parseQuarantine } from './hold.ts';
import { parsePolicy } from './policy.ts';
import { parseAuditRecord } from './records/audit.ts';
import { parsePresence, parseReport } from './report.ts';
import { parsePermit, parseRollout } from './rollout.ts';
import { ANY_URL, parseTarget } from './target.ts';
import { fromJson } from './text/lenient-json.ts';

/**
 * The whole shared state of an app, one row per znode: where it is, its content, who may do what with it, who writes
 * and watches it. Paths (`znodes`), access lists (fleet/access.ts), `gitfleet init` (fleet/app.ts) and docs/znodes.md
 * are all made from these rows; nothing about a znode is written down a second time.
 */
export interface ZnodeRow {
  /** Relative to the app znode, which is ''; `<...>` stands for a name. */
  readonly path: string;
  readonly mode: 'persistent' | 'ephemeral' | 'ephemeral sequential';
  /** Its content, in words. */
  readonly content: string;
  /** Parses its content; total, because another program may have written anything. Null: nothing is read from it. */
  readonly parse: ((data: Buffer) => unknown) | null;
  /**
   * ZooKeeper's rights (create, delete, read, write), by letter, of publisher, coordinator, agent and viewer. The
   * operator has all of them everywhere. Create and delete apply to the children.
   */
  readonly rights: readonly [publisher: string, coordinator: string, agent: string, viewer: string];
  /** The letters of the flagger; absent: those of the viewer. */
  readonly flagger?: string;
  /** The letters of the server (`gitfleet serve`); absent: those of the viewer. */
  readonly server?: string;
  /** `init` creates it, empty. The others come and go with what they represent. */
  readonly made: 'init' | 'later';
  readonly writtenBy: string;
  readonly watchedBy: string;
}

const READ = ['r', 'r', 'r', 'r'] as const;

export const ZNODES = {
  app: {
    path: '',
    mode: 'persistent',
    content: 'nothing: the app znode itself',
    parse: null,
    rights: READ,
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  config: {
    path: 'config',
    mode: 'persistent',
    content: 'target (schemas/target.ts); empty: nothing was published yet',
    parse: (data) => parseTarget(data, ANY_URL),
    rights: ['rw', 'rw', 'r', 'r'],
    made: 'init',
    writtenBy: 'publish transaction; any foreign writer',
    watchedBy: 'every agent, coordinator',
  },
  deployments: {
    path: 'deployments',
    mode: 'persistent',
    content: 'the last deployment number, decimal',
    parse: null,
    // Publishers add records and cannot remove any: the coordinator, or the operator, removes the oldest.
    rights: ['crw', 'cdrw', 'r', 'r'],
    made: 'init',
    writtenBy: 'publish transaction; the adoption of a foreign target',
    watchedBy: '-',
  },
  deployment: {
    path: 'deployments/d-<n>',
    mode: 'persistent',
    content: 'deployment record (schemas/deployment.ts), newest 200 kept',
    parse: parseDeployment,
    rights: READ,
    made: 'later',
    writtenBy: 'created once by the publish transaction, or by the adoption of a foreign target',
    watchedBy: '-',
  },
  outcomes: {
    path: 'outcomes',
    mode: 'persistent',
    content: 'nothing',
    parse: null,
    rights: ['cr', 'cdr', 'r', 'r'],
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  outcome: {
    path: 'outcomes/d-<n>',
    mode: 'persistent',
    content: 'how that deployment ended (schemas/deployment.ts)',
    parse: parseOutcome,
    // A publisher's outcome also has an entry for publishers, until the coordinator replaces it.
    rights: ['r', 'rw', 'r', 'r'],
    made: 'later',
    writtenBy: 'coordinator; a publisher where no coordinator has written it',
    watchedBy: '-',
  },
  audit: {
    path: 'audit',
    mode: 'persistent',
    content: 'the number of the last audit record, decimal',
    parse: null,
    rights: ['crw', 'cdr', 'r', 'r'],
    made: 'init',
    writtenBy: 'the acts of operators, and of publishers on the quarantine',
    watchedBy: '-',
  },
  auditRecord: {
    path: 'audit/a-<n>',
    mode: 'persistent',
    content: 'who did what and why (schemas/records/audit.ts), newest 200 kept',
    parse: parseAuditRecord,
    rights: READ,
    made: 'later',
    writtenBy: 'created once by the transaction of the act',
    watchedBy: '-',
  },
  rollout: {
    path: 'rollout',
    mode: 'persistent',
    content:
      'rollout record (schemas/rollout.ts): deployment, term, state, policy in force, present wave, last proven target, what people said',
    parse: parseRollout,
    rights: ['r', 'rw', 'r', 'r'],
    made: 'init',
    writtenBy: 'coordinator; operators (versioned writes)',
    watchedBy: 'every agent, coordinator; a waiting publisher polls',
  },
  permits: {
    path: 'permits',
    mode: 'persistent',
    content: 'nothing',
    parse: null,
    rights: ['r', 'cdrw', 'r', 'r'],
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  permit: {
    path: 'permits/<agentId>',
    mode: 'persistent',
    content: 'targetVersion that the agent may activate',
    parse: parsePermit,
    rights: ['r', 'rw', 'r', 'r'],
    made: 'later',
    writtenBy: 'coordinator',
    watchedBy: 'that agent',
  },
  policy: {
    path: 'policy',
    mode: 'persistent',
    content: 'default policy (schemas/policy.ts); empty: all agents at once',
    parse: parsePolicy,
    rights: READ,
    made: 'init',
    writtenBy: 'operator',
    watchedBy: 'coordinator; agents, which follow it while no rollout has begun',
  },
  hold: {
    path: 'hold',
    mode: 'persistent',
    content: 'hold (schemas/hold.ts); empty: none',
    parse: parseHold,
    rights: READ,
    made: 'init',
    writtenBy: 'operator',
    watchedBy: 'read by publishers and gates',
  },
  quarantine: {
    path: 'quarantine',
    mode: 'persistent',
    content: 'the newest 200 refused commits with reasons (schemas/hold.ts); empty: none',
    parse: parseQuarantine,
    // A publisher lifts a quarantine with --force, in the transaction that publishes.
    rights: ['rw', 'rw', 'r', 'r'],
    made: 'init',
    writtenBy: 'operator, coordinator; publish --force and rollback --quarantine',
    watchedBy: 'coordinator; read by publishers, gates and agents',
  },
  clock: {
    path: 'clock',
    mode: 'persistent',
    content: 'nothing: the reply to a write of it carries the time of the ensemble',
    parse: null,
    // Agents read the time by a write to it: every other node that an agent may write is read by others.
    rights: ['rw', 'rw', 'rw', 'r'],
    made: 'init',
    writtenBy: 'publishers and operators that need the time; in a cutover the leader and the agents',
    watchedBy: '-',
  },
  enrolment: {
    path: 'enrolment',
    mode: 'persistent',
    content: "whether all holders of the agents' credential are agents (schemas/enrolment.ts); empty: they are",
    parse: parseEnrolment,
    rights: READ,
    made: 'init',
    writtenBy: 'operator',
    watchedBy: 'every agent; read by coordinator and publishers',
  },
  enrolled: {
    path: 'enrolment/<agentId>',
    mode: 'persistent',
    content: 'identity of an agent that counts while enrolment is closed (schemas/enrolment.ts)',
    parse: parseEnrolled,
    rights: READ,
    made: 'later',
    writtenBy: 'operator',
    watchedBy: 'that agent; read by coordinator and publishers',
  },
  online: {
    path: 'online',
    mode: 'persistent',
    content: 'nothing',
    parse: null,
    // A presence ends with its session. The coordinator deletes those that the enrolled agents did not make.
    rights: ['r', 'dr', 'cr', 'r'],
    made: 'init',
    writtenBy: '-',
    watchedBy: 'coordinator (children)',
  },
  presence: {
    path: 'online/<agentId>',
    mode: 'ephemeral',
    content:
      'presence (schemas/report.ts), signed by the agent for its session; while its name is taken, at <agentId>~<32 digits>',
    parse: parsePresence,
    rights: READ,
    made: 'later',
    writtenBy: 'that agent',
    watchedBy: 'that agent',
  },
  agents: {
    path: 'agents',
    mode: 'persistent',
    content: 'nothing',
    parse: null,
    rights: ['r', 'r', 'cr', 'r'],
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  report: {
    path: 'agents/<agentId>',
    mode: 'persistent',
    content: 'last report (schemas/report.ts), signed by the agent; empty until the first',
    parse: parseReport,
    rights: READ,
    made: 'later',
    writtenBy: 'that agent, only while it owns its presence',
    watchedBy: 'polled by the coordinator and a waiting publisher',
  },
  election: {
    path: 'election',
    mode: 'persistent',
    content: 'nothing; at most 7 candidates below it',
    parse: null,
    rights: ['r', 'cdrw', 'r', 'r'],
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  candidate: {
    path: 'election/<candidate>',
    mode: 'ephemeral sequential',
    content: '{agentId}: an agent that may lead rollouts; the first one leads',
    parse: parseCandidate,
    rights: READ,
    made: 'later',
    writtenBy: 'that agent',
    watchedBy: 'the candidate after it',
  },
  fetch: {
    path: 'fetch',
    mode: 'persistent',
    content: 'nothing; the leases on the origin below it',
    parse: null,
    rights: ['r', 'r', 'cdr', 'r'],
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  lease: {
    path: 'fetch/<lease>',
    mode: 'ephemeral sequential',
    content: 'an agent that asks the origin, or waits for its turn',
    parse: null,
    rights: READ,
    made: 'later',
    writtenBy: 'that agent',
    watchedBy: 'the one after it; all leases by the head of the queue',
  },
  objects: {
    path: 'objects',
    mode: 'persistent',
    content: 'nothing; the newest 3 bundles below it',
    parse: null,
    rights: ['cdr', 'r', 'r', 'r'],
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  bundle: {
    path: 'objects/<digest>',
    mode: 'persistent',
    content: 'a bundle: what one commit has and its base lacks, as a thin pack of git, at most 256 KiB',
    parse: (data) => data,
    // It is source code, and agents alone need it.
    rights: ['', '', 'r', ''],
    made: 'later',
    writtenBy: 'a publisher or a hook with publisher.bundle, before it publishes; removed by later ones',
    watchedBy: 'read once by agents with objects: signed',
  },
  flags: {
    path: 'flags',
    mode: 'persistent',
    content: 'all flags, a flagd document (schemas/flags.ts), at most 64 KiB; empty: none',
    parse: parseFlags,
    // The leader adopts what another program wrote into a plain flag.
    rights: ['r', 'rw', 'r', 'r'],
    flagger: 'rw',
    made: 'init',
    writtenBy: 'gitfleet flag; the coordinator for a plain flag that another program wrote',
    watchedBy: 'every agent, programs that use flags',
  },
  flagChanges: {
    path: 'flag-changes',
    mode: 'persistent',
    content: 'nothing',
    parse: null,
    rights: ['r', 'cdr', 'r', 'r'],
    flagger: 'cdr',
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  flagChange: {
    path: 'flag-changes/f-<n>',
    mode: 'persistent',
    content: 'one change of one flag (schemas/flags.ts), newest 200 kept',
    parse: (data) => fromJson(flagChange(), data),
    rights: READ,
    made: 'later',
    writtenBy: 'with each change of a flag, in one transaction; never changed',
    watchedBy: '-',
  },
  // What `gitfleet serve` keeps. Absent is off. Nothing here takes part in a deployment: a holder of the server's
  // credential can delay, repeat or suppress what is told, and neither publish nor prove anything.
  serve: {
    path: 'serve',
    mode: 'persistent',
    content: 'nothing: the reply to a write of it carries the time of the ensemble',
    parse: null,
    rights: READ,
    server: 'rw',
    made: 'init',
    writtenBy: 'servers that need the time',
    watchedBy: '-',
  },
  serveElection: {
    path: 'serve/election',
    mode: 'persistent',
    content: 'nothing; the servers that may send below it',
    parse: null,
    rights: READ,
    server: 'cdr',
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  serveCandidate: {
    path: 'serve/election/<candidate>',
    mode: 'ephemeral sequential',
    content: 'a server that may send notifications and statuses, and poll; the first one does',
    parse: null,
    rights: READ,
    made: 'later',
    writtenBy: 'that server',
    watchedBy: 'the candidate after it',
  },
  serveSeen: {
    path: 'serve/seen',
    mode: 'persistent',
    content: 'nothing',
    parse: null,
    rights: ['cdr', 'r', 'r', 'r'],
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  serveSeenBy: {
    path: 'serve/seen/<installation>',
    mode: 'persistent',
    content: 'the last tip of a branch that this installation acted on',
    parse: null,
    rights: ['rw', 'r', 'r', 'r'],
    made: 'later',
    writtenBy: 'servers with webhooks, in the transaction that publishes',
    watchedBy: '-',
  },
  serveTold: {
    path: 'serve/told',
    mode: 'persistent',
    content: 'nothing',
    parse: null,
    rights: READ,
    server: 'cdr',
    made: 'init',
    writtenBy: '-',
    watchedBy: '-',
  },
  serveToldTo: {
    path: 'serve/told/<sink>',
    mode: 'persistent',
    content: 'what was sent there last',
    parse: null,
    rights: READ,
    server: 'rw',
    made: 'later',
    writtenBy: 'the elected server',
    watchedBy: '-',
  },
} as const satisfies Readonly<Record<string, ZnodeRow>>;

export type ZnodeKind = keyof typeof ZNODES;

/** An app znode: absolute, no trailing slash, plain segments. */
export const APP_ZNODE = /^(\/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){1,8}$/;
/** An agent's id names a znode and a line on a screen: plain characters only. */
export const AGENT_ID = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;

/** The agent that a candidate names; null: none. Total. */
export function parseCandidate(data: Buffer): string | null {
  const { agentId } = fromJson(candidate(), data) ?? {};
  return agentId !== undefined && AGENT_ID.test(agentId) ? agentId : null;
}
const candidate = once(() => z.object({ agentId: z.string() }));

export type Znodes = ReturnType<typeof znodes>;

/** The paths of one app. */
export function znodes(app: string) {
  const at = (kind: ZnodeKind) => `${app}/${ZNODES[kind].path}`;
  const named = (kind: ZnodeKind) => (name: string | number) => at(kind).replace(/<\w+>/, () => String(name));
  return {
    app,
    config: at('config'),
    deployments: at('deployments'),
    deployment: named('deployment'),
    outcomes: at('outcomes'),
    outcome: named('outcome'),
    audit: at('audit'),
    auditRecord: named('auditRecord'),
    rollout: at('rollout'),
    permits: at('permits'),
    permit: named('permit'),
    policy: at('policy'),
    hold: at('hold'),
    quarantine: at('quarantine'),
    clock: at('clock'),
    enrolment: at('enrolment'),
    enrolled: named('enrolled'),
    online: at('online'),
    presence: named('presence'),
    agents: at('agents'),
    report: named('report'),
    election: at('election'),
    fetch: at('fetch'),
    objects: at('objects'),
    bundle: named('bundle'),
    flags: at('flags'),
    flagChanges: at('flagChanges'),
    flagChange: named('flagChange'),
    serve: at('serve'),
    serveElection: at('serveElection'),
    serveSeen: at('serveSeen'),
    serveSeenBy: named('serveSeenBy'),
    serveTold: at('serveTold'),
    serveToldTo: named('serveToldTo'),
  };
}

/** What `init` creates, in this order. config is last: once it exists, everything exists. */
export function initialZnodes(app: string): [path: string, kind: ZnodeKind][] {
  const rows = Object.entries(ZNODES) as [ZnodeKind, ZnodeRow][];
  const made = rows.filter(([kind, row]) => row.made === 'init' && kind !== 'config');
  return [...made.map(([kind]) => kind), 'config' as const].map((kind) => {
    const { path } = ZNODES[kind];
    return [path === '' ? app : `${app}/${path}`, kind];
  });
}
