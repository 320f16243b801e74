import * as z from 'zod';
import { deployment } from './deployment.ts';
import { enrolled } from './enrolment.ts';
import { failure as keptFailure } from './failure.ts';
import { flagChange } from './flags.ts';
import { hold, quarantined } from './hold.ts';
import { policy } from './policy.ts';
import { auditRecord } from './records/audit.ts';
import { swapSpread } from './records/cutover.ts';
import { presence, report } from './report.ts';
import { ROLLOUT_STATES } from './rollout.ts';
import { said } from './said.ts';

/*
 * What each verb prints with `--json`: one value per line, described with examples in docs/cli.md. Members may be
 * added; none changes its meaning or is removed without an entry in the changelog. Times are ms since the epoch,
 * durations ms.
 */

const failure = keptFailure().strict();

/** A failed verb, on standard output, as its last line. */
export const errorOutput = z.strictObject({ error: failure, exitCode: z.int() });

const target = z.strictObject({ url: z.string(), commitId: z.string(), relativePath: z.string() });

/** How the commits of two targets relate, as the clone shows it. */
const change = z.strictObject({
  from: z.string().nullable(),
  to: z.string(),
  /** Null if no clone shows it. */
  ahead: z.int().nullable(),
  behind: z.int().nullable(),
  /** Newest first, at most 50: the added commits, or the removed ones if the change only goes back. */
  titles: z.array(z.strictObject({ commitId: z.string(), title: z.string() })),
});

/** Commits that a rollback took from the fleet and this deployment brings back: by which deployment, and why. */
const bringsBack = z.array(z.strictObject({ commitId: z.string(), deployment: z.int(), reason: z.string() }));

/** `publish`, `rollback`, `retry`: first line, once the target is written. */
export const publishedOutput = z.strictObject({
  published: deployment,
  targetVersion: z.string(),
  change: change.nullable(),
  bringsBack,
});

/** `attach`: first line. */
export const attachedOutput = z.strictObject({ attached: deployment, targetVersion: z.string() });

/** `publish`, `rollback`, `retry`, `attach`: last line, unless detached. */
export const endingOutput = z.strictObject({
  ending: z.enum(['converged', 'failed', 'rolled-back', 'halted', 'aborted', 'superseded', 'timed-out', 'no-agents']),
  state: z.enum(['converged', 'failed', 'running', 'no-agents']),
  reached: z.int(),
  expected: z.int(),
  elapsedMs: z.int(),
  /** Not waited for, because they are offline: they catch up automatically. */
  offline: z.array(z.string()),
  /** How close together the agents swapped; absent if the policy has no cutover. */
  cutover: swapSpread().optional(),
  /**
   * In waves: agents that were not done within the deadline, those that a person excused, and those that failed, with
   * codes.
   */
  late: z.array(z.string()),
  excused: z.array(z.string()),
  failed: z.array(z.strictObject({ agentId: z.string(), code: z.string() })),
  /** The number of the deployment that replaced it. */
  supersededBy: z.int().optional(),
});

const standing = z.enum(['active', 'overridden', 'suspended', 'failed', 'working', 'silent', 'offline']);

const agent = z.strictObject({
  agentId: z.string(),
  /** For the current target; `offline` for an agent without presence. */
  standing,
  presence: presence().nullable(),
  report: report().nullable(),
  /** When the report was written, by the clock of the ensemble. */
  reportedAt: z.number().nullable(),
  /** When its presence was created, by the same clock; null: offline. */
  onlineSince: z.number().nullable(),
  /** The node at the place of its presence is not its own; the coordinator or `forget` removes it. */
  falsePresence: z.literal(true).optional(),
});

/** `status`; with `--watch` one line per change. */
export const statusOutput = z.strictObject({
  app: z.string(),
  /** Null before the first publish, and if `config` cannot be read: then see `refused`. */
  target: target.nullable(),
  targetVersion: z.string(),
  refused: failure.nullable(),
  /** Null if another ZooKeeper client set the target and gitfleet has not adopted it. */
  deployment: deployment.nullable(),
  hold: hold().nullable(),
  /** In waves; null: all agents go at once, or no coordinator leads yet. */
  rollout: z
    .strictObject({
      state: z.enum(ROLLOUT_STATES),
      wave: z.int(),
      /** The agents of the current wave. */
      members: z.array(z.string()),
      reason: z.string(),
      paused: said.strict().nullable(),
    })
    .nullable(),
  /** The agent that leads rollouts; null: none does. */
  coordinator: z.string().nullable(),
  /** Why the ZooKeeper servers are not one ensemble; null: they are, or it is not known. */
  ensembleTrouble: z.string().nullable(),
  /** How close together the agents swapped, by their current reports; absent if the policy has no cutover. */
  cutover: swapSpread().optional(),
  /**
   * Services that its agents register. `least`: the floor; null: it has none. `out`: known instances not in the list.
   */
  services: z.array(
    z.strictObject({ service: z.string(), instances: z.int(), least: z.int().nullable(), out: z.int() }),
  ),
  /** Of the agents that are online now. */
  reached: z.int(),
  expected: z.int(),
  agents: z.array(agent),
  /** The number of nodes that belong to no agent, and of agents beyond the 10,000 that are read. */
  ignored: z.int(),
  unread: z.int(),
  /** Names of presences and reports that do not count, because enrolment is closed and they are not entered. */
  notEnrolled: z.array(z.string()),
  /** Since when ZooKeeper does not answer, or refuses; the data shown here is from that time. */
  stale: z.strictObject({ since: z.number(), reason: z.string() }).nullable(),
});

/** `status AGENT`. */
export const agentOutput = agent;

/** `history`: one line per deployment and per act of a person, newest first; `--no-audit` omits the acts. */
export const historyOutput = z.union([
  deployment.extend({
    /** With `--agent`: what the record says of that agent (publisher/agent-part.ts). */
    agent: z
      .strictObject({
        agentId: z.string(),
        state: z.enum(['reached', 'missed', 'unknown', 'open']),
        code: z.string().nullable(),
      })
      .optional(),
  }),
  z.strictObject({ audit: auditRecord().omit({ nonce: true, chain: true }).strict() }),
]);

/** `history --verify`: one line per chain. */
export const verifyOutput = z.strictObject({
  chain: z.enum(['deployments', 'audit']),
  whole: z.boolean(),
  /** Numbers of the oldest and the newest record; null: there is none. */
  first: z.int().nullable(),
  last: z.int().nullable(),
  /** The sha256 of the newest record. */
  head: z.string().nullable(),
  /** Whether every client may rewrite every record. */
  open: z.boolean(),
  findings: z.array(z.strictObject({ number: z.int(), what: z.string() })),
});

/** `plan`. */
export const planOutput = z.strictObject({
  /** False: config has this target already; a publish would make every agent check it again. */
  changes: z.boolean(),
  /** The number it would get, if no other publish comes first. */
  deployment: z.int(),
  /** With `--rollback`: the deployment that it returns to. */
  returnsTo: z.int().nullable(),
  current: target.nullable(),
  target,
  change: change.nullable(),
  warnings: z.array(z.string()),
  bringsBack,
  /** What would prevent a publish now; empty: nothing. */
  blockers: z.array(failure),
  /** Online agents, which would take part. */
  agents: z.array(z.string()),
  /** The agents of each wave, if it began now; empty without a policy, or if no agent would go. */
  waves: z.array(z.array(z.string())),
  suspended: z.array(z.string()),
  /** They catch up automatically when they come back. */
  offline: z.array(z.strictObject({ agentId: z.string(), reportedAt: z.number().nullable() })),
});

/**
 * `hold`: the hold in force now, also if the verb only shows it. `unhold`: the hold that was ended. `changed` is false
 * if nothing had to be written.
 */
export const holdOutput = z.strictObject({ hold: hold().nullable(), changed: z.boolean() });
export const quarantineOutput = z.strictObject({ quarantined: quarantined().nullable(), changed: z.boolean() });

/** `pause`, `resume`, `abort`, `promote`; `retry` if it published nothing. */
export const steerOutput = z.strictObject({
  deployment: z.int(),
  /** The state of its rollout after the command. */
  state: z.enum(ROLLOUT_STATES),
  /** False if it was in that state already. */
  changed: z.boolean(),
  said: z.string(),
});

/** `policy show`, `policy set`, `policy unset`: the policy in force now. */
export const policyOutput = z.strictObject({
  policy: policy().nullable(),
  /** The agents of each wave, if a deployment began now; empty without a policy, or if no agent would go. */
  waves: z.array(z.array(z.string())),
  changed: z.boolean(),
});

/** A flag as its document defines it. */
const flagDefinition = z.looseObject({ state: z.string(), variants: z.record(z.string(), z.unknown()) });

/** `flag list`. */
export const flagsOutput = z.strictObject({
  flags: z.record(z.string(), flagDefinition),
  metadata: z.looseObject({ version: z.int(), by: z.string(), reason: z.string(), at: z.number() }),
});

/** `flag get`: the result of the flag, with `--key` for that targeting key. */
export const flagOutput = z.strictObject({
  name: z.string(),
  value: z.unknown(),
  variant: z.string().nullable(),
  reason: z.enum(['STATIC', 'SPLIT', 'DEFAULT', 'DISABLED', 'ERROR']),
  flag: flagDefinition,
});

/** `flag set`, `flag remove`, `flag rollback`. Null: nothing changed; the flag is gone. */
export const flagChangeOutput = z.strictObject({ change: flagChange().nullable(), flag: flagDefinition.nullable() });

/** `kv get`, `kv watch`: bytes that are not UTF-8 are in base64. Null: there is no such value. */
export const valueOutput = z.union([
  z.strictObject({ path: z.string(), value: z.string(), version: z.int() }),
  z.strictObject({ path: z.string(), base64: z.string(), version: z.int() }),
  z.strictObject({ path: z.string(), value: z.null() }),
]);

/** `kv put`, `kv rm`, `kv ls`. */
export const valueChangeOutput = z.strictObject({
  path: z.string(),
  version: z.int().optional(),
  created: z.boolean().optional(),
  removed: z.boolean().optional(),
});

/** `version`. */
export const versionOutput = z.strictObject({
  version: z.string(),
  /** The version of Node that runs it. */
  node: z.string(),
  /** Null: git cannot be run. */
  git: z.string().nullable(),
  /** The commit that it was built from, with `-dirty` if files differed from it; null: not known. */
  commit: z.string().nullable(),
});

/** `forget --list`: one line per agent. */
export const forgettableOutput = z.strictObject({
  agentId: z.string(),
  /** When its last report was written, by the clock of the ensemble; null: there is none. */
  reportedAt: z.number().nullable(),
  /** Its last report says that it left for good: the fleet no longer expects it. */
  left: z.boolean(),
  /** A node without a session is at the place of its presence. */
  falsePresence: z.boolean(),
});

/** `forget`: one line per agent. */
export const forgetOutput = z.strictObject({ agentId: z.string(), forgotten: z.boolean() });

/** `enrol`: the state after it. */
export const enrolOutput = z.strictObject({
  open: z.boolean(),
  /** Who last opened or closed it; null: it was never closed. */
  said: said.strict().nullable(),
  /** Why its content cannot be read, so that it counts as closed. */
  unreadable: z.string().nullable(),
  agents: z.array(z.strictObject({ agentId: z.string(), ...enrolled().shape })),
});

export type ErrorOutput = z.infer<typeof errorOutput>;
export type PublishedOutput = z.infer<typeof publishedOutput>;
export type AttachedOutput = z.infer<typeof attachedOutput>;
export type EndingOutput = z.infer<typeof endingOutput>;
export type StatusOutput = z.infer<typeof statusOutput>;
export type AgentOutput = z.infer<typeof agentOutput>;
export type HistoryOutput = z.infer<typeof historyOutput>;
export type VerifyOutput = z.infer<typeof verifyOutput>;
export type PlanOutput = z.infer<typeof planOutput>;
export type HoldOutput = z.infer<typeof holdOutput>;
export type QuarantineOutput = z.infer<typeof quarantineOutput>;
export type SteerOutput = z.infer<typeof steerOutput>;
export type PolicyOutput = z.infer<typeof policyOutput>;
export type ForgettableOutput = z.infer<typeof forgettableOutput>;
export type ForgetOutput = z.infer<typeof forgetOutput>;
export type FlagsOutput = z.infer<typeof flagsOutput>;
export type FlagOutput = z.infer<typeof flagOutput>;
export type FlagChangeOutput = z.infer<typeof flagChangeOutput>;
export type ValueOutput = z.infer<typeof valueOutput>;
export type ValueChangeOutput = z.infer<typeof valueChangeOutput>;
export type EnrolOutput = z.infer<typeof enrolOutput>;
export type VersionOutput = z.infer<typeof versionOutput>;
