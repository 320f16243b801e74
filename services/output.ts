import * as z from 'zod';
import { said } from '../schemas/said.ts';
import { minAvailable } from './contract.ts';

/* What the verbs of `service` print with `--json`, by the rules of schemas/json-output.ts; docs/cli.md has examples. */

/**
 * `service pick`. In `agent`, `commit` and `deployment`, null: another program registered it, or the value is unknown.
 */
export const instanceOutput = z.strictObject({
  name: z.string(),
  host: z.string(),
  port: z.int(),
  agent: z.string().nullable(),
  commit: z.string().nullable(),
  deployment: z.int().nullable(),
  labels: z.record(z.string(), z.string()),
  /** The failed check of an instance that the floor keeps registered all the same; null: its checks succeed. */
  unwell: z.string().nullable(),
});

const list = {
  service: z.string(),
  state: z.enum(['live', 'frozen', 'empty', 'missing']),
  instances: z.array(instanceOutput),
};

/** `service list` without a name. */
export const serviceNamesOutput = z.strictObject({ services: z.array(z.string()) });

/**
 * `service list NAME`. `ageMs`: the age of the list on disk, if ZooKeeper does not answer; null: the list is current.
 */
export const instancesOutput = z.strictObject({ ...list, ageMs: z.number().nullable() });

/** `service watch`: one line per change. */
export const instancesChangeOutput = z.strictObject(list);

/** `service leave`. False: the floor does not allow it yet. */
export const serviceLeftOutput = z.strictObject({ service: z.string(), agentId: z.string(), left: z.boolean() });

/** `service join`. Null: no person kept it out. */
export const serviceJoinedOutput = z.strictObject({
  service: z.string(),
  agentId: z.string(),
  ended: said.strict().nullable(),
});

/** `service set`. */
export const serviceRuleOutput = z.strictObject({ service: z.string(), minAvailable: minAvailable() });

export type InstanceOutput = z.infer<typeof instanceOutput>;
export type ServiceNamesOutput = z.infer<typeof serviceNamesOutput>;
export type InstancesOutput = z.infer<typeof instancesOutput>;
export type InstancesChangeOutput = z.infer<typeof instancesChangeOutput>;
export type ServiceLeftOutput = z.infer<typeof serviceLeftOutput>;
export type ServiceJoinedOutput = z.infer<typeof serviceJoinedOutput>;
export type ServiceRuleOutput = z.infer<typeof serviceRuleOutput>;
