import { join } from 'node:path';
import { parseSigners } from '../../git/ssh/allowed-signers.ts';
import { readSshSignature } from '../../git/ssh/read-signature.ts';
import { type SignerLine, type SshKeygen, verifyBySsh } from '../../git/ssh/signature.ts';
import { classify, type Failure, FleetError } from '../../runtime/errors.ts';
import { createMutex } from '../../runtime/mutex.ts';
import { sha256 } from '../../runtime/sha256.ts';
import { type Refused, refuse } from '../../schemas/refusal.ts';
import { decodeSigned, judgeSigned, NAMESPACE, parseSigned } from '../../schemas/signed/signed-target.ts';
import {
  type AllowedTarget,
  allowTarget,
  type ListedTarget,
  membersOf,
  parseTarget,
  type TargetCore,
  type VerifiedEnvelope,
} from '../../schemas/target.ts';
import { readSigners } from './signers.ts';

/**
 * The one door: whatever the fleet may make this agent show, `config` or the base of a rollout, comes through here before
 * anything is fetched for it. By the rules of the settings as they are now: which urls, and whether a target must be signed.
 * What is signed is read from the signed bytes. Whether it comes in order, is for agent/state/accepted.ts to say at each
 * pass. What it does not do: judge what a person on this server chose, and releases that are kept here.
 */
export interface Door {
  judge(bytes: Buffer): Promise<Judgement>;
  judgeKept(core: TargetCore): Promise<Judgement>;
}

export type Judgement = { readonly ok: true; readonly target: AllowedTarget } | Refused;

export interface DoorRules {
  readonly allowUrls: readonly string[];
  readonly verify: {
    readonly target: 'off' | 'required';
    readonly audience?: string | undefined;
    readonly signersFile?: string | undefined;
  };
}

export interface DoorParts {
  readonly rules: () => DoorRules;
  readonly app: string;
  /** Where ssh-keygen finds what it is to check. */
  readonly appState: string;
  readonly ssh: SshKeygen;
}

export function createDoor(parts: DoorParts): Door {
  const verify = createVerify(parts);
  async function judge(bytes: Buffer): Promise<Judgement> {
    const { allowUrls, verify: rule } = parts.rules();
    const listed = parseTarget(bytes, { allow: allowUrls });
    if (!listed.ok) return listed;
    if (rule.target === 'off') return { ok: true, target: allowTarget(listed.target, null) };
    return await proved(listed.target, { app: parts.app, audience: rule.audience ?? '' }, rule.signersFile, verify);
  }
  return { judge, judgeKept: (core) => judge(Buffer.from(JSON.stringify(membersOf(core)))) };
}

async function proved(
  target: ListedTarget,
  here: { readonly app: string; readonly audience: string },
  signersFile: string | undefined,
  verify: Verify,
): Promise<Judgement> {
  const { signed: text, signature } = target.gitfleet ?? {};
  if (text === undefined || signature === undefined) return refuse('SIGNATURE_MISSING', 'the target has no signature');
  const bytes = decodeSigned(text);
  if (!bytes) return refuse('SIGNATURE_INVALID', 'gitfleet.signed is no base64 of a signed target');
  const by = await verify(signersFile ?? '', signature, bytes).catch(refusalOf);
  if ('failure' in by) return by;
  const read = parseSigned(bytes);
  if (!read.ok) return read;
  const wrong = judgeSigned(read.signed, target, here);
  if (wrong) return wrong;
  const { issuedAt, notAfter, ref } = read.signed;
  const envelope: VerifiedEnvelope = { signer: by.signer, digest: sha256(bytes), issuedAt, notAfter };
  return { ok: true, target: allowTarget(target, envelope, ref) };
}

type Verify = (signersFile: string, signature: string, bytes: Buffer) => Promise<{ readonly signer: string } | Refused>;

/** Whose signature it is. One rollout is written many times with the same base: an answer counts for a minute. */
function createVerify({ ssh, appState }: DoorParts): Verify {
  const inTurn = createMutex();
  const known = new Map<string, { readonly until: number; readonly answer: Awaited<ReturnType<Verify>> }>();
  return async (signersFile, signature, bytes) => {
    const read = readSshSignature(signature);
    if (!read) return refuse('SIGNATURE_INVALID', 'gitfleet.signature is not one SSH signature');
    if (read.namespace !== NAMESPACE) {
      return refuse('SIGNATURE_INVALID', `made for the namespace ${read.namespace}, not for ${NAMESPACE}`);
    }
    const signers = parseSigners(await readSigners(signersFile), NAMESPACE);
    const lines = signers.filter(({ key }) => key === read.key);
    const [line] = lines;
    if (!line) return refuse('UNKNOWN_SIGNER', `no line of ${signersFile} with namespaces="${NAMESPACE}" has its key`);
    const name = JSON.stringify([lines, signature, bytes.toString('base64')]);
    const now = ssh.clock.monotonic();
    const before = known.get(name);
    if (before && before.until > now) return before.answer;
    const answer = await inTurn(() => ask(lines, line, signature, bytes));
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(name, { until: now + KNOWN_MS, answer });
    return answer;
  };

  async function ask(lines: readonly SignerLine[], { name }: SignerLine, signature: string, bytes: Buffer) {
    const why = await verifyBySsh(ssh, join(appState, 'verify'), lines, NAMESPACE, signature, bytes);
    if (why === null) return { signer: name };
    const isOver = /expired|not yet valid/.test(why);
    return refuse(isOver ? 'UNKNOWN_SIGNER' : 'SIGNATURE_INVALID', `${name}: ${why}`);
  }
}

const KNOWN_MS = 60_000;
const MAX_KNOWN = 8;

/** Whether the same target may be judged differently later, with no write that would say so: by what is on this server. */
export const dependsOnServer = ({ code, next }: Failure): boolean => next !== 'stall' || code === 'UNKNOWN_SIGNER';

/** What this server lacks, such as room on its disk, is no fault of the target; it is judged again. */
function refusalOf(error: unknown): Refused {
  const failure = classify(error);
  const judged = failure.next === 'bug' ? FleetError.of('NO_SSH_KEYGEN', failure.message) : failure;
  return { ok: false, failure: judged.toFailure() };
}
