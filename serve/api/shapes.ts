import * as z from 'zod';
import { failure as keptFailure } from '../../schemas/failure.ts';
import { hold, quarantined } from '../../schemas/hold.ts';
import { policy } from '../../schemas/policy.ts';
import { swapSpread } from '../../schemas/records/cutover.ts';
import { PHASES } from '../../schemas/report.ts';
import {
  actRecord,
  findingShape,
  flagShape,
  historyRecord,
  rolloutShape,
  saidShape,
  serviceShape,
  targetShape,
  time,
  whole,
} from './parts.ts';

/*
 * What `gitfleet serve` sends, version 1: the state of one app (`status`, and `snapshot` in the stream), its changes
 * (`delta`), and the answers of the other paths below /api/v1. The page, the OpenAPI document and generated clients are
 * made from these shapes. Members may be added; none changes its meaning within version 1.
 *
 * Times are ms since the epoch by the clock of the ensemble (see `clock`). Strings come from other programs: they are
 * data of bounded length, and never HTML.
 */

const failure = keptFailure().strict();

export const STANDINGS = ['active', 'overridden', 'suspended', 'failed', 'working', 'silent', 'offline'] as const;
/** Where an agent is in the rollout of the current target; null: there is no rollout in waves. */
export const PARTS = ['done', 'now', 'later'] as const;

/** One agent, as the wall of agents shows it. `GET /api/v1/agents/{id}` has all of it. */
export const agentRow = z.strictObject({
  agentId: z.string(),
  /** For the current target; `offline` for an agent without presence. */
  standing: z.enum(STANDINGS),
  /** Null: it never reported. */
  phase: z.enum(PHASES).nullable(),
  /** Since when the phase holds. */
  phaseAt: time.nullable(),
  /** What its link shows. */
  activeCommit: z.string().nullable(),
  /** The deployment that its report is about. */
  deployment: z.int().nullable(),
  /** Whether its report is about the current target. */
  current: z.boolean(),
  error: failure.nullable(),
  waitingFor: z.string().nullable(),
  /** How often it has tried this target. */
  attempts: whole,
  /** It failed, and tries again automatically. */
  retries: z.boolean(),
  suspended: saidShape.nullable(),
  override: saidShape.nullable(),
  /** Files of the active release that differ from the commit; at most 20 are counted. */
  drift: whole,
  /** What keeps it from reporting. */
  problem: z.string().nullable(),
  host: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  agentVersion: z.string().nullable(),
  /** When its presence was created; null: offline. */
  onlineSince: time.nullable(),
  /** When its report was written; null: never. */
  reportedAt: time.nullable(),
  part: z.enum(PARTS).nullable(),
  canary: z.boolean(),
  /** A node at the place of its presence that is not its own. */
  falsePresence: z.boolean(),
});
export type AgentRow = z.infer<typeof agentRow>;

const columns = <Shape extends z.ZodRawShape>({ shape }: z.ZodObject<Shape>) =>
  z.strictObject(
    Object.fromEntries(Object.entries(shape).map(([name, of]) => [name, z.array(of as z.ZodType)])) as unknown as {
      [Name in keyof Shape]: z.ZodArray<Shape[Name]>;
    },
  );

/** The same agents, one array per member, all of one length and sorted by agentId: a third of the size of rows. */
export const agentColumns = columns(agentRow);
export type AgentColumns = z.infer<typeof agentColumns>;

/** Whether what is shown is current. */
export const zookeeperShape = z.strictObject({
  state: z.enum(['connecting', 'connected', 'suspended', 'lost', 'closed']),
  /** Null: the state is current. Else since when ZooKeeper does not confirm it, and why. */
  stale: z.strictObject({ since: time, reason: z.string() }).nullable(),
});
export type ZooKeeperShape = z.infer<typeof zookeeperShape>;

/** In every answer and every event. */
export const freshness = {
  /** The server's time when it sent this. `now - asOf` is the age; a client's own clock is not needed. */
  now: time,
  /** When ZooKeeper last confirmed the state; null: it has not been read yet. */
  asOf: time.nullable(),
  /** `server`: this server's own clock, because the app has no `serve` znode yet; a wrong clock shows wrong ages. */
  clock: z.enum(['ensemble', 'server']),
  zookeeper: zookeeperShape,
};

/** The members of the state that a delta replaces as a whole. */
export const stateMembers = {
  /** Null before the first publish, and if `config` cannot be read: then see `refused`. */
  target: targetShape.nullable(),
  targetVersion: z.string().nullable(),
  /** When the target was written. */
  targetAt: time.nullable(),
  refused: failure.nullable(),
  /** Null if another ZooKeeper client set the target and gitfleet has not adopted it. */
  deployment: historyRecord.nullable(),
  /** Of the agents that are online and not suspended: how many show the target. */
  reached: whole,
  expected: whole,
  /** The number of agents in each standing. */
  counts: z.record(z.enum(STANDINGS), whole),
  rollout: rolloutShape.nullable(),
  /** The policy of the app, for the next rollout. */
  policy: policy().nullable(),
  /** The agent that leads rollouts; null: none does. */
  coordinator: z.string().nullable(),
  hold: hold().strict().nullable(),
  /** Newest first. */
  quarantine: z.array(quarantined().strict()),
  cutover: swapSpread().nullable(),
  services: z.array(serviceShape),
  flags: z.array(flagShape),
  /** Who counts as an agent. */
  enrolment: z.strictObject({ open: z.boolean(), notEnrolled: z.array(z.string()) }),
  /** Numbers of nodes that belong to no agent, and of agents beyond the 10,000 that are read. */
  ignored: whole,
  unread: whole,
  /** Agents that left for good, and are not expected. */
  left: z.array(z.string()),
  findings: z.array(findingShape),
};

const head = {
  app: z.string(),
  /** The version of gitfleet that serves. */
  version: z.string(),
  /** Pages of commits on forges that no client can know, by the prefix of a repository's url; from the settings. */
  links: z.array(z.strictObject({ prefix: z.string(), commit: z.string(), compare: z.string().nullable() })),
};
const headShape = z.strictObject(head);
/** What does not change while a server runs. */
export type Head = z.infer<typeof headShape>;

/** `GET /api/v1/status`. */
export const statusShape = z.strictObject({ ...head, ...freshness, ...stateMembers, agents: z.array(agentRow) });
export type StatusShape = z.infer<typeof statusShape>;

/** Event `snapshot`: the whole state, with agents in columns, and the newest 200 deployments and 200 acts. */
export const snapshotShape = z.strictObject({
  ...head,
  ...freshness,
  ...stateMembers,
  agents: agentColumns,
  history: z.array(historyRecord),
  acts: z.array(actRecord),
});
export type Snapshot = z.infer<typeof snapshotShape>;

/**
 * Event `delta`: what changed since the previous event. Members of `changed` replace those of the snapshot. `agents`
 * are added, or replace the agent of the same id; `gone` are removed. `history` and `acts` are added, or replace the one
 * of the same number; the newest 200 of each stay.
 */
export const deltaShape = z.strictObject({
  ...freshness,
  changed: z.strictObject(stateMembers).partial(),
  agents: agentColumns.nullable(),
  gone: z.array(z.string()),
  history: z.array(historyRecord),
  acts: z.array(actRecord),
});
export type Delta = z.infer<typeof deltaShape>;

/**
 * Event `alive`: each second, and at once when ZooKeeper's state changes. A client that hears nothing for three seconds
 * has lost the server. Event `synced`, once, after the snapshot or after the missed deltas: what is shown is complete.
 */
export const aliveShape = z.strictObject(freshness);
export type Alive = z.infer<typeof aliveShape>;
