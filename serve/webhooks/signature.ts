import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ForgeKind } from '../forges/repository.ts';

/**
 * Whether the sender of a delivery knows a secret. Pure; looks at the raw bytes alone, and compares in constant time. It
 * proves nothing about when it was sent: a replay passes, and is harmless, because a delivery only rings a bell.
 */
export interface Delivery {
  /** As they arrived, in pairs: Node's `rawHeaders`. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** Ms since the epoch. */
  readonly now: number;
}

export function isSigned(forge: ForgeKind, secrets: readonly string[], delivery: Delivery): boolean {
  const headers = signatureHeaders(forge, delivery.rawHeaders);
  // Each secret is tried, so that the time does not tell which one fits.
  return headers !== null && secrets.map((secret) => CHECK[forge](headers, secret, delivery)).includes(true);
}

const LEAST_BYTES = 16;

/** Whether a secret is so short that it can be guessed. A signing key that is no base64 is an empty key. */
export function isWeak(secret: string): boolean {
  const bytes = secret.startsWith(KEY) ? Buffer.from(secret.slice(KEY.length), 'base64') : Buffer.from(secret);
  return bytes.length < LEAST_BYTES;
}

const NAMES: Readonly<Record<ForgeKind, readonly string[]>> = {
  github: ['x-hub-signature-256'],
  gitlab: ['x-gitlab-token', 'webhook-id', 'webhook-timestamp', 'webhook-signature'],
  gitea: ['x-gitea-signature', 'x-hub-signature-256'],
  bitbucket: ['x-hub-signature'],
};

type Headers = ReadonlyMap<string, string>;

/** Null: one of them is there twice, so that two readers could see different ones. */
function signatureHeaders(forge: ForgeKind, raw: readonly string[]): Headers | null {
  const found = new Map<string, string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    if (!NAMES[forge].includes(name)) continue;
    if (found.has(name)) return null;
    found.set(name, raw[at + 1] as string);
  }
  return found;
}

const CHECK: Readonly<Record<ForgeKind, (headers: Headers, secret: string, delivery: Delivery) => boolean>> = {
  github: (headers, secret, { body }) => equal(headers.get('x-hub-signature-256'), `sha256=${hexOf(secret, body)}`),
  bitbucket: (headers, secret, { body }) => equal(headers.get('x-hub-signature'), `sha256=${hexOf(secret, body)}`),
  gitea(headers, secret, { body }) {
    const own = headers.get('x-gitea-signature');
    const hub = headers.get('x-hub-signature-256');
    const hex = hexOf(secret, body);
    const fits = [own === undefined || equal(own, hex), hub === undefined || equal(hub, `sha256=${hex}`)];
    return (own ?? hub) !== undefined && fits.every(Boolean);
  },
  // The form of the secret decides, so a sender cannot choose the weaker proof.
  gitlab: (headers, secret, delivery) =>
    secret.startsWith(KEY) ? isStandard(headers, secret, delivery) : equal(headers.get('x-gitlab-token'), secret),
};

const KEY = 'whsec_';
/** What Standard Webhooks recommends. */
const TOLERANCE_MS = 5 * 60_000;

function isStandard(headers: Headers, secret: string, { body, now }: Delivery): boolean {
  const [id, time, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((n) => headers.get(n));
  if (!id || !time || !signatures || !/^\d{1,12}$/.test(time)) return false;
  if (Math.abs(Number(time) * 1_000 - now) > TOLERANCE_MS) return false;
  const key = Buffer.from(secret.slice(KEY.length), 'base64');
  const right = createHmac('sha256', key).update(`${id}.${time}.`).update(body).digest('base64');
  return signatures.split(' ', 10).some((each) => equal(each, `v1,${right}`));
}

const hexOf = (secret: string, body: Buffer): string => createHmac('sha256', secret).update(body).digest('hex');

/** In constant time, whatever their lengths. */
const equal = (given: string | undefined, right: string): boolean =>
  timingSafeEqual(digestOf(given ?? ''), digestOf(right)) && given !== undefined;

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();
