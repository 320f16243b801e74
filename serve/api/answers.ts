import * as z from 'zod';
import { presence, report } from '../../schemas/report.ts';
import { actRecord, historyRecord, rolloutShape, serviceShape, time, whole } from './parts.ts';
import { agentRow, freshness } from './shapes.ts';

/* What the paths below /api/v1 answer besides the state itself (shapes.ts). */

/** `GET /api/v1/agents/{id}`. */
export const agentShape = z.strictObject({
  ...freshness,
  agent: agentRow,
  presence: presence().nullable(),
  /** With the last output of a failed step, and the names of the files that drifted. */
  report: report().nullable(),
  /** The newest deployments in whose outcome the agent is named, with the code; at most 20. */
  missed: z.array(z.strictObject({ deployment: z.int(), code: z.string() })),
});
export type AgentShape = z.infer<typeof agentShape>;

/** `GET /api/v1/history?limit=50`: newest first. */
export const historyShape = z.strictObject({
  ...freshness,
  deployments: z.array(historyRecord),
  acts: z.array(actRecord),
});
export type HistoryShape = z.infer<typeof historyShape>;

/** `GET /api/v1/rollout`. */
export const rolloutAnswerShape = z.strictObject({ ...freshness, rollout: rolloutShape.nullable() });

/** `GET /api/v1/services`. */
export const servicesShape = z.strictObject({
  ...freshness,
  services: z.array(
    serviceShape.extend({
      known: z.array(
        z.strictObject({
          name: z.string(),
          /** Null: it is not in the list. */
          host: z.string().nullable(),
          port: z.int().nullable(),
          agentId: z.string().nullable(),
          commitId: z.string().nullable(),
          /** The result of its checks, if it stays in the list although it is unwell. */
          unwell: z.string().nullable(),
        }),
      ),
    }),
  ),
});
export type ServicesShape = z.infer<typeof servicesShape>;

/** `GET /api/v1/flags`. */
export const flagsShape = z.strictObject({
  ...freshness,
  flags: z.record(z.string(), z.looseObject({ state: z.string(), variants: z.record(z.string(), z.unknown()) })),
  /** Flags that cannot be used, and why. */
  unusable: z.array(z.strictObject({ name: z.string(), reason: z.string() })),
  version: whole,
  by: z.string(),
  reason: z.string(),
  at: time,
});
export type FlagsShape = z.infer<typeof flagsShape>;

/** Every refusal. */
export const problemShape = z.strictObject({ error: z.string(), hint: z.string() });
