import * as z from 'zod';
import { once } from '../runtime/once.ts';
import { said } from './said.ts';
import { fromJson, toJson } from './text/lenient-json.ts';
import { PUBLIC_KEY } from './text/signed-json.ts';

/**
 * Who counts as an agent of an app. While enrolment is open (an empty `enrolment`, or none): every holder of the
 * credential that all agents share. While it is closed: the agents whose identity the operator entered below it. Like a
 * brake, enrolment that cannot be read is on: it counts as closed, and an unreadable entry counts as none.
 */
const enrolment = once(() => z.strictObject({ open: z.boolean(), ...said.shape }));

/** `enrolment`: whether it is open, and who last changed that. */
export interface EnrolmentState {
  readonly isOpen: boolean;
  /** Null: it was never closed. */
  readonly said: z.infer<typeof said> | null;
  /** Not null if the content is neither empty nor in our format. */
  readonly unreadable: string | null;
}

export function parseEnrolment(data: Buffer): EnrolmentState {
  if (data.length === 0) return { isOpen: true, said: null, unreadable: null };
  const read = fromJson(enrolment(), data);
  if (read === null) {
    const unreadable = 'the enrolment znode holds something that is no enrolment, which counts as closed';
    return { isOpen: false, said: null, unreadable };
  }
  const { open, ...who } = read;
  return { isOpen: open, said: who, unreadable: null };
}

export const encodeEnrolment = (open: boolean, who: z.infer<typeof said>): Buffer =>
  toJson(enrolment(), { open, ...who });

const identity = once(() =>
  z.object({
    /** The key of the signatures on its presence and its reports. */
    key: z.string().regex(PUBLIC_KEY),
    /** The hash of the ZooKeeper credential that only this agent holds, base64url of 20 bytes. */
    digest: z.string().regex(/^[A-Za-z0-9_-]{27}$/),
  }),
);
/** The public half of what one agent alone holds. It is not secret. */
export type Identity = z.infer<ReturnType<typeof identity>>;

/** In the form that people type and compare. */
export const identityText = ({ key, digest }: Identity): string => `${key}.${digest}`;

/** Null if it is not an identity. */
export function parseIdentity(text: string): Identity | null {
  const [key, digest, ...more] = text.split('.');
  const parsed = identity().safeParse({ key, digest });
  return parsed.success && more.length === 0 ? parsed.data : null;
}

/** Enough of an identity to distinguish it from every other: 96 bits. */
export const fingerprint = ({ key }: Identity): string => key.slice(0, 16);

export const enrolled = once(() => z.strictObject({ ...identity().shape, ...said.shape }));
/** `enrolment/<agentId>`: an agent that the operator entered. */
export type Enrolled = z.infer<ReturnType<typeof enrolled>>;

export const parseEnrolled = (data: Buffer): Enrolled | null => fromJson(enrolled(), data);
export const encodeEnrolled = (entry: Enrolled): Buffer => toJson(enrolled(), entry);
