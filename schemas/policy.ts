import * as z from 'zod';
import { once } from '../runtime/once.ts';
import { parseDuration } from './duration.ts';
import { parseSelector } from './selector.ts';
import { fromJson } from './text/lenient-json.ts';

/**
 * How a rollout proceeds: in the app's `policy` znode, or in one target as `gitfleet.policy`, which then replaces it.
 * Every value stays as a person wrote it (`25%`, `5m`), so that a rollout record shows the policy that it follows.
 */

/** A number such as 3, or a share such as `25%` of the agents that are counted. */
const amount = (least: 0 | 1) => {
  const error = `must be a whole number from ${least}, or a share from ${least}% to 100%`;
  const share = least === 0 ? /^(?:100|[1-9]?\d)%$/ : /^(?:100|[1-9]\d?)%$/;
  // If only one of the two has the right type, the union answers with that one's message.
  return z.union([z.int({ error }).min(least, { error }), z.string().regex(share, { error })], { error });
};
export type Amount = number | string;

const wait = (least: string, most: string) =>
  z.string({ error: 'must be a duration such as 10s or 5m' }).refine((text) => {
    const ms = parseDuration(text);
    return ms !== null && ms >= (parseDuration(least) as number) && ms <= (parseDuration(most) as number);
  }, `must be a duration such as 10s or 5m, at least ${least} and at most ${most}`);

const CANARY = 'must be a whole number from 1, a share such as 10%, or labels with their values, such as role=canary';
/** A label alone would select the agents that have it; a number in words looks the same, and would select none. */
const WORD = /^[A-Za-z0-9._/-]+$/;
const atLeastOne = once(() => amount(1));
const isCanary = (value: Amount): boolean =>
  atLeastOne().safeParse(value).success || (typeof value === 'string' && !WORD.test(value) && parseSelector(value).ok);

const members = () => ({
  /** The first wave: a number of agents, a share, or a selector. Absent: there is no canary. */
  canary: z.union([z.number(), z.string()], { error: CANARY }).refine(isCanary, CANARY).optional(),
  /** How many agents may be between permit and report at a time; also the size of a wave. */
  maxParallel: atLeastOne().prefault('25%'),
  /** A label such as zone: no wave then has agents with different values of it. */
  byLabel: z
    .string()
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/, 'must be the name of a label, such as zone')
    .optional(),
  /** How long a finished wave has to stay healthy before the next one starts. */
  soak: wait('0s', '24d').prefault('0s'),
  /** `manual`: after the canary a person has to run `promote`. */
  promote: z.enum(['auto', 'manual'], { error: 'must be auto or manual' }).prefault('auto'),
  /** How many agents may fail; with more, `onFailure` applies. In the canary none may. */
  failureBudget: amount(0).prefault(0),
  /** How many of the known agents may be offline; with more, no wave starts until some are back. */
  offlineBudget: amount(0).prefault('50%'),
  /**
   * How long the agents of a wave may take; an agent that is not done by then counts as failed. Below a second no
   * server would be done in time, and each commit would go into quarantine.
   */
  deadline: wait('1s', '24d').prefault('15m'),
  onFailure: z
    .enum(['rollback', 'pause', 'continue'], { error: 'must be rollback, pause or continue' })
    .prefault('rollback'),
  /** `together`: after the canary all agents are one wave, and all agents of a wave swap at one instant. */
  cutover: z.enum(['together'], { error: 'must be together' }).optional(),
  /** Members that a reader has to know; otherwise it cannot read the policy. encodePolicy writes this. */
  must: z
    .array(z.string())
    .refine((names) => names.every((name) => KNOWN.includes(name)), 'names a member that this version does not know')
    .optional(),
});

/** The members that `must` may name: those that this version obeys. */
const KNOWN: readonly string[] = ['cutover'];

/** As a person writes it: an unknown member is an error. */
export const policy = once(() => z.strictObject(members()));
/** As another version of gitfleet wrote it, in a target or a rollout record: unknown members are ignored. */
export const foreignPolicy = once(() => z.object(members()));
export type Policy = z.infer<ReturnType<typeof policy>>;

/** An agent that has been offline for longer than this no longer counts against the offline budget. */
export const FORGOTTEN_AFTER_MS = 7 * 86_400_000;

/**
 * What the `policy` znode says. Empty: there is no policy, all agents go at once. One that cannot be read is not taken
 * for none: `unreadable` then says why, and no rollout continues until a person has corrected it.
 */
export function parsePolicy(data: Buffer): { readonly value: Policy | null; readonly unreadable: string | null } {
  if (data.length === 0) return { value: null, unreadable: null };
  const value = fromJson(foreignPolicy(), data);
  return { value, unreadable: value === null ? 'the policy znode holds something that is no policy' : null };
}

/** Null removes the policy. `must` names the member that an older version would ignore. */
export function encodePolicy(value: Policy | null): Buffer {
  if (value === null) return Buffer.alloc(0);
  const written = policy().parse(value);
  return Buffer.from(JSON.stringify(isTogether(written) ? { ...written, must: ['cutover'] } : written));
}

/** Whether all agents of a wave swap at one instant. */
export const isTogether = (value: Policy | null): boolean => value?.cutover === 'together';

/** How many of `all` agents an amount means: a share is rounded down, so it is never more than the share itself. */
export function amountOf(value: Amount, all: number): number {
  return typeof value === 'number' ? value : Math.floor((Number(value.slice(0, -1)) * all) / 100);
}

/** The ms of a duration that the schema has accepted. */
export const durationOf = (text: string): number => parseDuration(text) ?? 0;
