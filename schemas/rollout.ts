import * as z from 'zod';
import { once } from '../runtime/once.ts';
import { targetCore } from './deployment.ts';
import { foreignPolicy } from './policy.ts';
import { instant } from './records/cutover.ts';
import { said } from './said.ts';
import { isTargetVersion } from './target-version.ts';
import { fromJson, toJson } from './text/lenient-json.ts';
import type { TargetVersion } from './values.ts';

/**
 * `rollout`: the progress of one deployment through the fleet. Read leniently: members of a newer coordinator are
 * ignored. All members but `base` count only while `targetVersion` is that of config; every reader compares the two
 * first.
 */
export const ROLLOUT_STATES = [
  'running', // the coordinator grants permits, wave by wave
  'paused', // a person paused it: see `paused`
  'halted', // the policy stopped it; a person resumes it, or publishes
  'proven', // ended well
  'failed', // ended badly; the agents keep what they run
  'aborted', // a person ended it
  'rolled-back', // ended badly; `base` was published again
] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];

const targetVersion = () => z.string().refine(isTargetVersion, 'is no targetVersion');

/** The last proven target in full: where rollback, late joiners and returning servers go, also after history was cut. */
const base = () => targetCore.extend({ deployment: z.int().positive() });

export const rollout = once(() =>
  z.object({
    deployment: z.int().positive(),
    targetVersion: targetVersion(),
    /**
     * The term that last wrote it: agentId and the czxid of its election node. A leader that finds another one takes
     * over.
     */
    leader: z
      .object({ agentId: z.string(), czxid: z.string().regex(/^[0-9a-f]{1,16}$/) })
      .nullable()
      .default(null),
    /** Counted from 0. */
    wave: z.int().min(0).default(0),
    state: z.enum(ROLLOUT_STATES),
    base: base().nullable().default(null),
    paused: said.nullable().default(null),
    /** False: all agents go at once, because there was no policy when it began. */
    permits: z.boolean().default(true),
    /** The policy in force, as it was when the rollout began; null without one. */
    policy: foreignPolicy().nullable().default(null),
    /** It goes back to a proven target: an agent that is still busy with another target does not delay the others. */
    wayBack: z.boolean().default(false),
    /** When it began; this and the other times of a rollout are ms since the epoch by the clock of the ensemble. */
    startedAt: z.number().default(0),
    /** The agents of the canary; a retry and the next rollout take the same ones where possible. */
    canary: z.array(z.string()).default([]),
    /**
     * The agents of the current wave. Agents of earlier waves have a report about this targetVersion, those of later
     * ones do not.
     */
    members: z.array(z.string()).default([]),
    /**
     * When the current wave began, or continued after a pause; 0: the leader takes the time of its next observation.
     */
    waveAt: z.number().default(0),
    /** When all members of the current wave swap; null: they are not all ready yet, or each needs a permit instead. */
    activateAt: instant().nullable().default(null),
    /**
     * Agents that an instant of this rollout allowed to activate: only then can the commit be the cause of their
     * failure.
     */
    cleared: z.array(z.string()).default([]),
    /** Since when all agents of the current wave are done: the start of its soak. Null: not yet. */
    soakAt: z.number().nullable().default(null),
    /**
     * Who let this wave end without its soak, and the canary without a further promote; it counts for that wave only.
     */
    promoted: said
      .extend({ wave: z.int().min(0) })
      .nullable()
      .default(null),
    /** Agents that were not done by the deadline: they count as failed until they report otherwise. */
    late: z.array(z.string()).default([]),
    /** The late agents that had a permit and named no reason of their own: the commit itself may be the cause. */
    latePermitted: z.array(z.string()).default([]),
    /**
     * The late agents that named a reason of their own. During a retry they report no error; that does not make them
     * failed.
     */
    lateUnable: z.array(z.string()).default([]),
    /**
     * The late agents whose permit was revoked for a reason of their own: they may have activated the commit before
     * that.
     */
    revoked: z.array(z.string()).default([]),
    /** Failed agents that a person has accepted as such (`resume` after a halt). */
    excused: z.array(z.string()).default([]),
    /** Why it is halted, failed, aborted or rolled back, or what it waits for: a sentence for people. */
    reason: z.string().default(''),
    /**
     * It was halted because ZooKeeper lost writes or was restored: only a publish or a resume by a person ends that.
     */
    setBack: z.boolean().default(false),
    /** A person resumed it after that: the loss that the leader itself saw does not halt it again. */
    setBackPassed: z.boolean().default(false),
    /** The verbs that people used on it, each with its word, newest first; at most 20. */
    steered: z.array(said.extend({ verb: z.string() })).default([]),
    /**
     * The agents that had failed when it ended or halted, with the codes of their reports; reasons for the first 20.
     */
    failures: z.array(z.object({ agentId: z.string(), code: z.string(), reason: z.string().default('') })).default([]),
    /** Members that a reader has to know; for a version that does not, the rollout is in an unknown state. */
    must: z.array(z.string()).default([]),
  }),
);
export type Rollout = z.infer<ReturnType<typeof rollout>>;

const isUnderstood = ({ must }: Pick<Rollout, 'must'>): boolean =>
  must.every((name) => Object.hasOwn(rollout().shape, name));

/** Null for an empty node, for which no schema is made, and for content that is not readable as a rollout. */
export function parseRollout(data: Buffer): Rollout | null {
  const read = data.length === 0 ? null : fromJson(rollout(), data);
  return read && isUnderstood(read) ? read : null;
}

const withForeignBase = once(() => rollout().omit({ base: true }).extend({ base: z.unknown().optional() }));

/** As an agent reads it: `base` is unchecked until that agent's own rules have judged it. */
export function parseOrders(data: Buffer): { rollout: Omit<Rollout, 'base'>; base: unknown } | null {
  const read = fromJson(withForeignBase(), data);
  if (read === null || !isUnderstood(read)) return null;
  const { base, ...rollout } = read;
  return { rollout, base };
}

const ofAnyState = once(() =>
  z.object({ targetVersion: targetVersion(), state: z.string(), must: z.array(z.string()).default([]) }),
);

export type ForeignRollout = Omit<z.infer<ReturnType<typeof ofAnyState>>, 'must'>;

/**
 * A rollout in a state that only a newer version knows, which this version must not overwrite. Null: it is not in one.
 */
export function unknownState(data: Buffer): ForeignRollout | null {
  const read = data.length === 0 ? null : fromJson(ofAnyState(), data);
  if (!read) return null;
  const { must, ...foreign } = read;
  const unknown = must.find((name) => !isUnderstood({ must: [name] }));
  if (unknown !== undefined) return { ...foreign, state: `${foreign.state} with ${unknown}` };
  return ROLLOUT_STATES.every((state) => state !== foreign.state) ? foreign : null;
}

export const encodeRollout = (value: Rollout): Buffer => toJson(rollout(), value);

/** `permits/<agentId>`: the one targetVersion that the agent may activate, as plain text. Null: no permit. */
export function parsePermit(data: Buffer): TargetVersion | null {
  const text = data.toString('utf8');
  return isTargetVersion(text) ? text : null;
}

export const encodePermit = (version: TargetVersion): Buffer => Buffer.from(version);
