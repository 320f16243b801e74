import type { KeyObject } from 'node:crypto';

/**
 * JSON with the signature of its writer as the last member: `{...,"signature":"<86 characters>"}`. Guarantee:
 * `isSignedBy` is true only for bytes that the holder of the key signed, for that subject. The subject says what the
 * bytes are about and where they belong. It is not part of them, so a signature for one place is not valid at another.
 * The signature does not say when it was made, or that nothing newer was signed.
 */
export interface SigningKey {
  /** The public half: 43 characters of base64url. */
  readonly publicKey: string;
  /** @param json one object, as JSON.stringify writes it. */
  sign(subject: string, json: Buffer): Buffer;
}

/** @param seed the private half: 32 random bytes. */
export function signingKey(seed: Buffer): SigningKey {
  const { createPrivateKey, createPublicKey, sign } = crypto();
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  return {
    publicKey: x as string,
    sign(subject, json) {
      const signature = sign(null, signedBytes(subject, json), privateKey).toString('base64url');
      return Buffer.concat([json.subarray(0, -1), Buffer.from(`${LEAD}${signature}${END}`)]);
    },
  };
}

/** A public key as in `SigningKey`. Any text of this form is accepted, even if no private key belongs to it. */
export const PUBLIC_KEY = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** Total: with a key or data of any other form, the result is false. */
export function isSignedBy(publicKey: string, subject: string, data: Buffer): boolean {
  const at = data.length - TAIL;
  if (at < 1 || !PUBLIC_KEY.test(publicKey)) return false;
  const tail = data.subarray(at).toString('latin1');
  if (!tail.startsWith(LEAD) || !tail.endsWith(END)) return false;
  const signature = Buffer.from(tail.slice(LEAD.length, -END.length), 'base64url');
  const json = Buffer.concat([data.subarray(0, at), Buffer.from('}')]);
  try {
    return crypto().verify(null, signedBytes(subject, json), keyObject(publicKey), signature);
  } catch {
    return false;
  }
}

/** Loaded at the first signature: a publish to an app whose enrolment is open neither signs nor verifies. */
const crypto = () => process.getBuiltinModule('node:crypto');

const signedBytes = (subject: string, json: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`gitfleet ${subject}\n`), json]);

const keyObject = (x: string): KeyObject =>
  crypto().createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });

/** The bytes before the 32 bytes of an Ed25519 key in PKCS #8. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const LEAD = ',"signature":"';
const END = '"}';
const TAIL = LEAD.length + 86 + END.length;
