import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { TargetCore } from '../target.ts';
import { parseStrictJson } from '../text/strict-json.ts';

/**
 * What a signer signs, and what agents that require a signature go by: who may run what, where, and since when. The bytes
 * themselves travel (`gitfleet.signed`), so nothing depends on how JSON is written again. What is not signed: the number of
 * the deployment, its policy, permits, hold and quarantine, flags and services.
 */
export interface SignedTarget {
  readonly version: 1;
  /** For which installation: what was signed for staging is worth nothing in production. */
  readonly audience: string;
  /** The app znode. */
  readonly app: string;
  readonly url: string;
  readonly commitId: string;
  readonly relativePath: string;
  /** The branch or tag; null: a commit was named. */
  readonly ref: string | null;
  /** Ms since the epoch by the signer's clock: the order of signed targets. */
  readonly issuedAt: number;
  /** After it no agent accepts the target for the first time. */
  readonly notAfter?: number | undefined;
}

/** Of `ssh-keygen -Y`: a key that signs for git signs nothing here. */
export const NAMESPACE = 'gitfleet@v1';

/** Names an installation; agents and signers must spell it alike. */
export const AUDIENCE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

const MAX_SIGNED_BYTES = 8 * 1024;

const shape = once(() =>
  z.strictObject({
    version: z.literal(1),
    audience: z.string().regex(AUDIENCE),
    app: z.string(),
    url: z.string(),
    commitId: z.string(),
    relativePath: z.string(),
    ref: z.string().nullable(),
    issuedAt: z.int().min(0),
    notAfter: z.int().min(0).optional(),
  }),
);

/** The bytes to sign. Parses what it wrote: what no agent could read is never signed. */
export const signedBytes = (target: SignedTarget): Buffer => Buffer.from(JSON.stringify(shape().parse(target)));

/** `gitfleet.signed` back to the bytes that were signed; null: this is no base64 of a signed target's size. */
export function decodeSigned(signed: string): Buffer | null {
  const bytes = Buffer.from(signed, 'base64');
  const isExact = bytes.length > 0 && bytes.toString('base64') === signed;
  return isExact && bytes.length <= MAX_SIGNED_BYTES ? bytes : null;
}

export function parseSigned(bytes: Buffer): { ok: true; signed: SignedTarget } | Refused {
  const json = parseStrictJson(bytes, MAX_SIGNED_BYTES);
  if (!json.ok) return refuse('SIGNATURE_INVALID', `signed: ${json.failure.reason}`);
  const shaped = shape().safeParse(json.value);
  if (shaped.success) return { ok: true, signed: shaped.data };
  const where = shaped.error.issues[0]?.path.map(String).join('.') || 'the value';
  return refuse('SIGNATURE_INVALID', `signed: ${where} is not of a target that this version knows`);
}

/**
 * Whether the signed bytes are about this target, this app and this installation. Pure; the signature is judged before.
 * @returns null: they are.
 */
export function judgeSigned(
  signed: SignedTarget,
  target: Pick<TargetCore, 'url' | 'commitId' | 'relativePath'>,
  here: { readonly audience: string; readonly app: string },
): Refused | null {
  const other = (['url', 'commitId', 'relativePath'] as const).find((name) => signed[name] !== target[name]);
  if (other) return refuse('SIGNATURE_INVALID', `the signed ${other} is not the ${other} of the target`);
  const elsewhere = (['audience', 'app'] as const).find((name) => signed[name] !== here[name]);
  if (!elsewhere) return null;
  return refuse('AUDIENCE', `signed for ${elsewhere} ${signed[elsewhere]}; here it is ${here[elsewhere]}`);
}

/** How far a signer's clock may be ahead of an agent's, and of the next signer's. */
export const MAX_AHEAD_MS = 5 * 60_000;

/**
 * When the next target is issued: after the one that config holds, as far as that can be an honest one. A signer whose
 * clock was far ahead, or a client that writes ZooKeeper without a key, does not move the time of the others.
 */
export function issuedAfter(current: string | undefined, now: number): number {
  const bytes = current === undefined ? null : decodeSigned(current);
  const read = bytes && parseSigned(bytes);
  const before = read?.ok ? read.signed.issuedAt : 0;
  return before >= now && before < now + MAX_AHEAD_MS ? before + 1 : now;
}
