import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { howItEnded, type RunResult, run } from '../../runtime/process.ts';
import { clean } from '../../runtime/safe-text.ts';
import { readSshSignature } from './read-signature.ts';

/**
 * Signatures by OpenSSH (`ssh-keygen -Y`): made with a key file or with a key in ssh-agent, hardware keys included, and
 * verified by the same program. Nothing here decides whether a signature is valid: ssh-keygen does. No private key is
 * read by this process.
 */
export interface SshKeygen {
  readonly clock: Clock;
  /** PATH, HOME, SSH_AUTH_SOCK and what ssh-agent's helpers need; nothing else. */
  readonly env: Record<string, string>;
}

/** A person may have to touch a key, or type a passphrase into a window of ssh-agent. */
const SIGN_MS = 60_000;
const VERIFY_MS = 10_000;
const MAX_BYTES = 64 * 1024;

/**
 * @param keyFile a private key, or the public half of one that ssh-agent holds.
 * @returns the armored signature.
 * @throws FleetError SIGN_FAILED
 */
export async function signBySsh(
  { clock, env }: SshKeygen,
  keyFile: string,
  namespace: string,
  bytes: Buffer,
): Promise<string> {
  const argv = ['ssh-keygen', '-Y', 'sign', '-n', namespace, '-f', keyFile];
  const ran = await run(argv, { env, clock, timeoutMs: SIGN_MS, input: bytes, maxBytes: MAX_BYTES, keep: 'all' });
  const signature = ran.stdout.toString('utf8');
  if (ran.ended === 'exit' && ran.exitCode === 0 && readSshSignature(signature)) return signature;
  throw FleetError.of('SIGN_FAILED', `signing with ${keyFile}: ${wordsOf(ran, SIGN_MS)}`);
}

/** One line of a list of signers: a key, and when it counts. */
export interface SignerLine {
  /** As the file spells it; shown to people. */
  readonly name: string;
  readonly keyType: string;
  /** Base64. */
  readonly key: string;
  readonly validAfter?: string | undefined;
  readonly validBefore?: string | undefined;
}

/** How a signature is verified. */
export interface VerifyBy {
  /** Where ssh-keygen finds the two files that it reads; of this process alone, one call at a time. */
  readonly directory: string;
  /** All lines with the key of the signature. */
  readonly lines: readonly SignerLine[];
  readonly namespace: string;
  /** Keys that no longer count; null: there is no such file. */
  readonly revokedFile: string | null;
}

/**
 * Whether the signature over `bytes` was made by the key of these lines, and the key counts now.
 * @returns null: it does; otherwise what ssh-keygen says.
 * @throws FleetError NO_SSH_KEYGEN; the system's errors.
 */
export async function verifyBySsh(
  { clock, env }: SshKeygen,
  { directory, lines, namespace, revokedFile }: VerifyBy,
  signature: string,
  bytes: Buffer,
): Promise<string | null> {
  const [signers, signed] = [join(directory, 'signers'), join(directory, 'signature')];
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const allowed = lines.map((line) => lineText(line, namespace)).join('');
  await Promise.all([writeFile(signers, allowed, { mode: 0o600 }), writeFile(signed, signature, { mode: 0o600 })]);
  const revoked = revokedFile === null ? [] : ['-r', revokedFile];
  const argv = ['ssh-keygen', '-Y', 'verify', '-n', namespace, '-f', signers, '-I', WHO, '-s', signed, ...revoked];
  const options = { env, clock, timeoutMs: VERIFY_MS, input: bytes, maxBytes: MAX_BYTES, keep: 'tail' } as const;
  const ran = await run(argv, options);
  if (ran.ended === 'exit' && ran.exitCode === 0) return null;
  // If it was killed, for example because memory is short, it has said nothing about the signature.
  if (ran.ended === 'exit' && ran.exitCode !== null) return wordsOf(ran, VERIFY_MS);
  throw FleetError.of('NO_SSH_KEYGEN', `ssh-keygen ${howItEnded(ran, VERIFY_MS)}`);
}

const WHO = 'signer';

function lineText({ keyType, key, validAfter, validBefore }: SignerLine, namespace: string): string {
  const after = validAfter === undefined ? '' : `,valid-after="${validAfter}"`;
  const before = validBefore === undefined ? '' : `,valid-before="${validBefore}"`;
  return `${WHO} namespaces="${namespace}"${after}${before} ${keyType} ${key}\n`;
}

/** The words of ssh-keygen, if there are any. */
function wordsOf(ran: RunResult, timeoutMs: number): string {
  const said = clean(`${ran.stderr.toString('utf8')} ${ran.stdout.toString('utf8')}`, 300).trim();
  return said === '' || ran.ended !== 'exit' ? `ssh-keygen ${howItEnded(ran, timeoutMs)}` : said;
}
