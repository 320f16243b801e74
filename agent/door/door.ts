import { join } from 'node:path';
import type { SshKeygen } from '../../git/ssh/signature.ts';
import { classify, type Failure, FleetError } from '../../runtime/errors.ts';
import { sha256 } from '../../runtime/sha256.ts';
import { type Refused, refuse, shown } from '../../schemas/refusal.ts';
import { type BranchRule, branchRuleFor } from '../../schemas/settings/branch-rules.ts';
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

import { createVerifySignature, type SignerLists, type VerifySignature } from './verify-signature.ts';

/**
 * The one door: whatever the fleet asks this agent to show, `config` or the base of a rollout, is judged here before
 * anything is fetched for it. The rules are those of the settings as they are now: which urls, and whether a target must
 * be signed. The members of a signed target are read from the signed bytes.
 *
 * It does not judge the order of signed targets (agent/state/accepted.ts, at each pass), nor the commit itself, which
 * must be fetched first (vouch.ts). What a person on this server chose, and releases that are kept here, do not come
 * through it.
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
    readonly revokedFile?: string | undefined;
    readonly reachableFrom?: readonly BranchRule[] | undefined;
  };
}

export interface DoorParts {
  readonly rules: () => DoorRules;
  readonly app: string;
  /** ssh-keygen reads its input from a directory below it. */
  readonly appState: string;
  readonly ssh: SshKeygen;
}

export function createDoor(parts: DoorParts): Door {
  const { ssh, appState } = parts;
  const verify = createVerifySignature({ ssh, directory: join(appState, 'verify'), namespace: NAMESPACE });
  async function judge(bytes: Buffer): Promise<Judgement> {
    const { allowUrls, verify: rule } = parts.rules();
    const listed = parseTarget(bytes, { allow: allowUrls });
    if (!listed.ok) return listed;
    if (branchRuleFor(rule, listed.target.url) === 'refused') return noBranchRule(listed.target.url);
    if (rule.target === 'off') return { ok: true, target: allowTarget(listed.target, null) };
    const lists = { signersFile: rule.signersFile ?? '', revokedFile: rule.revokedFile };
    return await proved(listed.target, { app: parts.app, audience: rule.audience ?? '' }, lists, verify);
  }
  return { judge, judgeKept: (core) => judge(Buffer.from(JSON.stringify(membersOf(core)))) };
}

async function proved(
  target: ListedTarget,
  here: { readonly app: string; readonly audience: string },
  lists: SignerLists,
  verify: VerifySignature,
): Promise<Judgement> {
  const { signed: text, signature } = target.gitfleet ?? {};
  if (text === undefined || signature === undefined) return refuse('SIGNATURE_MISSING', 'the target has no signature');
  const bytes = decodeSigned(text);
  if (!bytes) return refuse('SIGNATURE_INVALID', 'gitfleet.signed is no base64 of a signed target');
  const by = await verify(lists, signature, bytes).catch(refusalOf);
  if ('failure' in by) return by;
  if (!by.ok) return refuse(by.fault === 'signer' ? 'UNKNOWN_SIGNER' : 'SIGNATURE_INVALID', by.why);
  const read = parseSigned(bytes);
  if (!read.ok) return read;
  const wrong = judgeSigned(read.signed, target, here);
  if (wrong) return wrong;
  const { issuedAt, notAfter, ref } = read.signed;
  const envelope: VerifiedEnvelope = { signer: by.signer, digest: sha256(bytes), issuedAt, notAfter };
  return { ok: true, target: allowTarget(target, envelope, ref) };
}

const noBranchRule = (url: string): Refused =>
  refuse('NOT_ALLOWED', `agent.verify.reachableFrom names no branch of ${shown(url)}`, BRANCH_HINT);

const BRANCH_HINT = 'publish the url that reachableFrom names, or add this one with its branches to the settings';

/** Whether the same target may be judged differently later, although nothing was written: files of this server count. */
export const dependsOnServer = ({ code, next }: Failure): boolean => next !== 'stall' || code === 'UNKNOWN_SIGNER';

/** What this server lacks, such as disk space, is no fault of the target; the target is judged again. */
function refusalOf(error: unknown): Refused {
  const failure = classify(error);
  const judged = failure.next === 'bug' ? FleetError.of('NO_SSH_KEYGEN', failure.message) : failure;
  return { ok: false, failure: judged.toFailure() };
}
