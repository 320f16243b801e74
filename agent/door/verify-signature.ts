import { parseSigners } from '../../git/ssh/allowed-signers.ts';
import { readSshSignature } from '../../git/ssh/read-signature.ts';
import { type SshKeygen, verifyBySsh } from '../../git/ssh/signature.ts';
import { createMutex } from '../../runtime/mutex.ts';
import { readSigners } from './signers.ts';

/**
 * Says whose signature it is, by the list of signers as it is now. A key is judged at this moment, never at a time that
 * the signed bytes name: a thief of an expired key would write an earlier time there.
 */
export type VerifySignature = (lists: SignerLists, signature: string, bytes: Buffer) => Promise<Verified>;

export interface SignerLists {
  readonly signersFile: string;
  /** Keys that no longer count, whatever the list says: a KRL, or one public key per line (ssh-keygen -k). */
  readonly revokedFile?: string | undefined;
}

export type Verified =
  | { readonly ok: true; readonly signer: string }
  /** `signer`: the key does not count, or not now. `signature`: it is none, or not one of these bytes. */
  | { readonly ok: false; readonly fault: 'signer' | 'signature'; readonly why: string };

export interface VerifyParts {
  readonly ssh: SshKeygen;
  /** Where ssh-keygen finds what it is to check; of this caller alone. */
  readonly directory: string;
  readonly namespace: string;
}

/** An answer counts for a minute: one rollout is written many times with the same base. */
export function createVerifySignature({ ssh, directory, namespace }: VerifyParts): VerifySignature {
  const inTurn = createMutex();
  const known = new Map<string, { readonly until: number; readonly answer: Verified }>();
  return async (lists, signature, bytes) => {
    const read = readSshSignature(signature);
    if (!read) return no('signature', 'not one SSH signature');
    if (read.namespace !== namespace) {
      return no('signature', `made for the namespace ${read.namespace}, not for ${namespace}`);
    }
    const { signersFile, revokedFile } = lists;
    const lines = parseSigners(await readSigners(signersFile), namespace).filter(({ key }) => key === read.key);
    const [line] = lines;
    if (!line) return no('signer', `no line of ${signersFile} with namespaces="${namespace}" has its key`);
    const revoked = revokedFile === undefined ? null : await readSigners(revokedFile);
    const name = JSON.stringify([lines, revoked, signature, bytes.toString('base64')]);
    const now = ssh.clock.monotonic();
    const before = known.get(name);
    if (before && before.until > now) return before.answer;
    const ask = (by: string | null) =>
      verifyBySsh(ssh, { directory, lines, namespace, revokedFile: by }, signature, bytes);
    const answer = await inTurn(() => judge(line.name, ask, revokedFile ?? null));
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(name, { until: now + KNOWN_MS, answer });
    return answer;
  };
}

type Ask = (revokedFile: string | null) => Promise<string | null>;

async function judge(signer: string, ask: Ask, revokedFile: string | null): Promise<Verified> {
  const why = await ask(revokedFile);
  if (why === null) return { ok: true, signer };
  // Of a revoked key, ssh-keygen says the same as of a false signature.
  if (revokedFile === null || (await ask(null)) !== null) return no(faultOf(why), `${signer}: ${why}`);
  return no('signer', `${signer}: the key is in ${revokedFile}, or ssh-keygen cannot read that list`);
}

const no = (fault: 'signer' | 'signature', why: string): Verified => ({ ok: false, fault, why });

const faultOf = (why: string) => (/expired|not yet valid/.test(why) ? 'signer' : 'signature');

const KNOWN_MS = 60_000;
const MAX_KNOWN = 8;
