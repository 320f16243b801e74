import * as z from 'zod';
import { fromJson } from './lenient-json.ts';

/** Where an agent stands with the target it judged. */
export const PHASES = [
  'waiting', // no target yet, or for something named in `waitingFor`
  'fetching',
  'writing',
  'verifying',
  'swapping',
  'activating',
  'active', // serves the target; the activate command ended well
  'failed', // gave up or retries: see `error`
] as const;
export type Phase = (typeof PHASES)[number];

const failure = z.object({
  code: z.string(),
  reason: z.string(),
  hint: z.string(),
  next: z.enum(['retry', 'wait', 'stall', 'bug']),
});

/**
 * What an agent says about itself, in `agents/<agentId>`. Read leniently: members of a newer agent are ignored.
 * Times are ms since the epoch by the agent's clock.
 */
export const report = z.object({
  agentId: z.string(),
  /** The target this report speaks about; null before the first. A report without it would be noise. */
  targetVersion: z.string().nullable(),
  deployment: z.number().int().nullable().default(null),
  phase: z.enum(PHASES),
  /** What the link shows now. */
  activeCommit: z.string().nullable(),
  /** What the target asks for, where it could be read. */
  desiredCommit: z.string().nullable().default(null),
  relativePath: z.string().nullable().default(null),
  error: failure.nullable().default(null),
  waitingFor: z.string().nullable().default(null),
  /** Set while a person on the server keeps it on another commit than the target's. */
  override: z.object({ by: z.string(), reason: z.string(), at: z.number() }).nullable().default(null),
  /** Files of the active release that are not the commit's, as the last inspection found them; at most 20. */
  drift: z.array(z.string()).default([]),
  /** Tries at this targetVersion so far. */
  attempts: z.number().int().default(0),
  /** Since when the phase holds. */
  since: z.number(),
  at: z.number(),
  agentVersion: z.string().default(''),
});
export type Report = z.infer<typeof report>;

/** `online/<agentId>`: who holds this id, for as long as its session lives. */
export const presence = z.object({
  agentId: z.string(),
  /** New for each process. */
  instanceId: z.string(),
  /** The same for one state directory on one boot of one machine. */
  machineId: z.string(),
  pid: z.number().int(),
  host: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
  agentVersion: z.string().default(''),
  since: z.number(),
  /** What keeps this agent from reporting, where something does. */
  problem: z.string().nullable().default(null),
});
export type Presence = z.infer<typeof presence>;

export const parseReport = (data: Buffer): Report | null => fromJson(report, data);
export const parsePresence = (data: Buffer): Presence | null => fromJson(presence, data);
