import { createHash } from 'node:crypto';

/**
 * Takes a signed commit or annotated tag apart, as git made it, into the bytes that were signed and the signature. Pure
 * and total. It is stricter than git: one signature, of the repository's own hash, and nothing behind it. Whether the
 * signature is valid, and whose it is: agent/door/verify-signature.ts.
 *
 * `git verify-commit` is not used, because it judges a key at the date in the commit, which its author chooses.
 */
export type SignedObject =
  | { readonly kind: 'signed'; readonly payload: Buffer; readonly signature: string }
  | { readonly kind: 'unsigned' }
  /** It is not what its id says, not about the commit, or signed in a way that this version does not read. */
  | { readonly kind: 'odd'; readonly why: string };

/** @param raw the content of the commit object, without its type and size. */
export function readSignedCommit(commitId: string, raw: Buffer): SignedObject {
  if (hashOf('commit', raw, commitId) !== commitId) return odd('its bytes are not those of its id');
  const text = raw.toString('latin1');
  const end = text.indexOf('\n\n');
  const header = end < 0 ? text : text.slice(0, end + 1);
  const own = commitId.length === 64 ? 'gpgsig-sha256' : 'gpgsig';
  const found = [...header.matchAll(/^(gpgsig[^ \n]*) .*\n(?: .*\n)*/gm)];
  const [only] = found;
  if (only === undefined) return { kind: 'unsigned' };
  if (found.length > 1 || only[1] !== own) return odd(`not exactly one ${own}`);
  if (!/^tree [0-9a-f]{40,64}\n/.test(header)) return odd('it does not begin with its tree');
  const signature = only[0].slice(own.length + 1).replaceAll('\n ', '\n');
  const payload = text.slice(0, only.index) + text.slice(only.index + only[0].length);
  return { kind: 'signed', payload: Buffer.from(payload, 'latin1'), signature };
}

/** @param raw the content of the tag object. It has to name the commit itself, not another tag. */
export function readSignedTag(tagId: string, raw: Buffer, commitId: string): SignedObject {
  if (hashOf('tag', raw, tagId) !== tagId) return odd('its bytes are not those of its id');
  const text = raw.toString('latin1');
  if (!text.startsWith(`object ${commitId}\ntype commit\ntag `)) return odd('it names another object');
  const at = text.lastIndexOf(`\n${BEGIN}`) + 1;
  if (at === 0) return { kind: 'unsigned' };
  return { kind: 'signed', payload: Buffer.from(text.slice(0, at), 'latin1'), signature: text.slice(at) };
}

const BEGIN = '-----BEGIN SSH SIGNATURE-----\n';

const odd = (why: string): SignedObject => ({ kind: 'odd', why });

/** Git does not hash what it reads. */
function hashOf(type: 'commit' | 'tag', raw: Buffer, id: string): string {
  const hash = createHash(id.length === 64 ? 'sha256' : 'sha1');
  return hash.update(`${type} ${raw.length}\0`).update(raw).digest('hex');
}
