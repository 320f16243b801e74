import { sha256 } from '../../runtime/sha256.ts';

/**
 * What an SSHSIG claims: the key that made it, and the namespace. Pure and total. Whether the claim is true, only
 * ssh-keygen decides (signature.ts).
 */
export interface SshSignature {
  /** Base64, as in a list of signers and in the output of `ssh-add -L`. */
  readonly key: string;
  readonly namespace: string;
}

const ARMOR = /^-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]{1,76}\n)+)-----END SSH SIGNATURE-----\n?$/;

/** Null unless the text is exactly one armored signature, and nothing else. Total. */
export function readSshSignature(text: string): SshSignature | null {
  const body = ARMOR.exec(text)?.[1]?.replaceAll('\n', '');
  const blob = Buffer.from(body ?? '', 'base64');
  if (body === undefined || blob.toString('base64') !== body) return null;
  if (blob.subarray(0, 6).toString('latin1') !== 'SSHSIG' || blob.length < 10 || blob.readUInt32BE(6) !== 1)
    return null;
  const fields = stringsIn(blob.subarray(10));
  // The public key, the namespace, a reserved field, the hash algorithm and the signature.
  if (fields?.length !== 5) return null;
  const [key, namespace] = fields as [Buffer, Buffer];
  return { key: key.toString('base64'), namespace: namespace.toString('utf8') };
}

/** The length-prefixed strings that these bytes consist of; null if they do not consist of such strings. */
function stringsIn(bytes: Buffer): Buffer[] | null {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) return null;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return null;
    found.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return found;
}

/** The fingerprint of the key, as OpenSSH writes it: `SHA256:...`. Empty if there is no signature. */
export function fingerprintOf(signature: string | undefined): string {
  const read = signature === undefined ? null : readSshSignature(signature);
  if (!read) return '';
  const hash = Buffer.from(sha256(Buffer.from(read.key, 'base64')), 'hex').toString('base64');
  return `SHA256:${hash.replace(/=+$/, '')}`;
}
