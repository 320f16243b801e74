import * as z from 'zod';
import { once } from '../runtime/once.ts';
import { chain } from './records/chain.ts';
import { swapSpread } from './records/cutover.ts';
import { said } from './said.ts';
import { fromJson, toJson } from './text/lenient-json.ts';

/** A value that only a newer version knows: its record must not be taken for a foreign write. */
const OTHER = 'other';

/** Stands for each member of a foreign target that cannot be read. */
export const UNREADABLE = '(unreadable)';

/** What makes a target, as history keeps it: coreOf in target.ts gives it, targetOf takes it. */
export const targetCore = z.object({
  url: z.string(),
  commitId: z.string(),
  relativePath: z.string(),
  signed: z.string().optional(),
  signature: z.string().optional(),
});

/** The number of agents that a record names at most. */
export const MAX_MISSING = 20;

/**
 * How a deployment ended. `proven`: all expected agents reached it. `failed`: at least one gave up. `superseded`: a
 * newer target came first. `timed-out`: no publisher waited until the result was known. `aborted`: a person ended its
 * rollout. `rolled-back`: it failed, and the last proven target was published in its place. `other`: a state that only
 * a newer version knows.
 */
export const outcome = z.object({
  state: z.enum(['proven', 'failed', 'superseded', 'timed-out', 'aborted', 'rolled-back', OTHER]).catch(OTHER),
  at: z.number(),
  reached: z.number().int(),
  expected: z.number().int(),
  /** The agents that did not reach it, each with the code of its cause; at most 20. */
  missing: z.array(z.object({ agentId: z.string(), code: z.string() })).default([]),
  by: z.string().default(''),
  /** How close together its agents swapped, if the policy said `cutover: together`. */
  cutover: z.lazy(swapSpread).optional().catch(undefined),
  /** Why it ended so, a sentence for people; absent if `state` is enough. */
  reason: z.string().optional(),
});
export type Outcome = z.infer<typeof outcome>;

const recorded = {
  number: z.number().int().positive(),
  target: targetCore,
  ...said.shape,
  /** Where it came from: a person's `publish` or `rollback`, git's `hook`, or a foreign writer (`adopted`). */
  via: z.enum(['publish', 'rollback', 'hook', 'adopted', OTHER]).catch(OTHER),
  ref: z.string().nullable().default(null),
  /** Drawn by the writer: if it is found here after a lost reply, the write succeeded. */
  nonce: z.string(),
  /** The deployment that was current when this one was published. */
  previous: z.number().int().nullable(),
  /** The targetVersion of a foreign write that this record stands for; null: our own transaction wrote config. */
  adopts: z.string().nullable().default(null),
  /** Of `rollback`: the deployment it returned to. */
  returnsTo: z.number().int().nullable().default(null),
  /** Why its commit was in quarantine, if `--force` lifted that; `by` and `reason` above say who lifted it and why. */
  lifted: said.nullable().default(null),
  /** The hold during which it was published; a rollback is allowed during a hold. */
  underHold: said.nullable().default(null),
  /** The commit that went into quarantine in the same transaction: the one that a rollback left. */
  quarantined: z.string().nullable().default(null),
  /** What ties it to the record of the previous number (schemas/records/chain.ts). */
  chain,
};

/** `deployments/d-<n>`, written once: one published target. */
const deploymentRecord = once(() => z.object(recorded));

/** The record of a deployment together with its outcome, as its readers get it. Read leniently. */
export const deployment = z.object({ ...recorded, outcome: outcome.nullable().default(null) });
export type Deployment = z.infer<typeof deployment>;

export const encodeDeployment = (value: Deployment): Buffer => toJson(deploymentRecord(), value);

/** A record of gitfleet 0.1.0 has no chain and contains its outcome; for later records only `outcomes` counts. */
export function parseDeployment(data: Buffer): Deployment | null {
  const read = fromJson(deployment, data);
  return read && read.chain !== null ? { ...read, outcome: null } : read;
}

/** `outcomes/d-<n>`. */
export const parseOutcome = (data: Buffer): Outcome | null => fromJson(outcome, data);
export const encodeOutcome = (value: Outcome): Buffer => toJson(outcome, value);

/** How people and refs name a deployment. */
export const deploymentName = (n: number): string => `d-${n}`;
