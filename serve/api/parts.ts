import * as z from 'zod';
import { deployment, outcome } from '../../schemas/deployment.ts';
import { policy } from '../../schemas/policy.ts';
import { auditRecord } from '../../schemas/records/audit.ts';
import { ROLLOUT_STATES } from '../../schemas/rollout.ts';
import { said as saidBy } from '../../schemas/said.ts';

/* The parts of the state of an app that is not agents (shapes.ts). */

export const whole = z.int().min(0);
export const time = z.number();
export const saidShape = saidBy.strict();

export const targetShape = z.strictObject({
  url: z.string(),
  commitId: z.string(),
  relativePath: z.string(),
  /** It carries a signature. Whether an agent accepts it is the agent's decision. */
  signed: z.boolean(),
});

/** One deployment with its outcome. */
export const historyRecord = deployment
  .omit({ nonce: true, chain: true, target: true, outcome: true })
  .extend({ target: targetShape, outcome: outcome.nullable() })
  .strict();
export type HistoryRecord = z.infer<typeof historyRecord>;

/** What a person did to the app besides deploying. */
export const actRecord = auditRecord().omit({ nonce: true, chain: true }).strict();
export type ActRecord = z.infer<typeof actRecord>;

export const rolloutShape = z.strictObject({
  deployment: z.int(),
  /** `unknown`: a state of a newer version. */
  state: z.enum([...ROLLOUT_STATES, 'unknown']),
  /** False: there is no policy, and all agents go at once. */
  waves: z.boolean(),
  /** Counted from 0. */
  wave: whole,
  /** The sizes of the waves after the current one, if no agent fails, joins or leaves. */
  ahead: z.array(whole),
  /** The agents of the canary and of the current wave. */
  canary: z.array(z.string()),
  members: z.array(z.string()),
  startedAt: time,
  waveAt: time,
  soakAt: time.nullable(),
  /** When the agents of the wave swap, in a cutover. */
  activateAt: time.nullable(),
  /** Which agent leads it; null: none yet. */
  leader: z.string().nullable(),
  reason: z.string(),
  paused: saidShape.nullable(),
  late: z.array(z.string()),
  excused: z.array(z.string()),
  failures: z.array(z.strictObject({ agentId: z.string(), code: z.string(), reason: z.string() })),
  /** What people said, newest first. */
  steered: z.array(saidShape.extend({ verb: z.string() })),
  policy: policy().nullable(),
  /** It goes back to a proven target. */
  wayBack: z.boolean(),
  /** The last proven deployment: rollbacks and late agents go there. */
  base: z.strictObject({ deployment: z.int(), commitId: z.string() }).nullable(),
});
export type RolloutShape = z.infer<typeof rolloutShape>;

export const serviceShape = z.strictObject({
  service: z.string(),
  /** Instances in the list. */
  instances: whole,
  /** How many have to stay; null: it has no floor. */
  least: whole.nullable(),
  /** Known instances that are not in the list. */
  out: whole,
});
export type ServiceShape = z.infer<typeof serviceShape>;

/** One flag in a line; `GET /api/v1/flags` has the whole document. */
export const flagShape = z.strictObject({
  name: z.string(),
  state: z.enum(['ENABLED', 'DISABLED']),
  defaultVariant: z.string().nullable(),
  variants: z.array(z.string()),
  /** It has a rule, such as shares of its variants. */
  targeting: z.boolean(),
});
export type FlagShape = z.infer<typeof flagShape>;

/** A check of the shared state that did not pass, in the form of `gitfleet doctor --json`. */
export const findingShape = z.strictObject({
  check: z.string(),
  verdict: z.enum(['warn', 'fail']),
  says: z.string(),
  /** What to do, with the command. */
  hint: z.string(),
});
export type Finding = z.infer<typeof findingShape>;
