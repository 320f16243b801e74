import * as z from 'zod';
import { FleetError } from '../runtime/errors.ts';
import { parseCommitId } from './commit-id.ts';
import { foreignPolicy, type Policy } from './policy.ts';
import { parseBundle } from './records/bundle.ts';
import { type Refused, refuse, shown } from './refusal.ts';
import { parseRelativePath } from './relative-path.ts';
import { parseStrictJson } from './text/strict-json.ts';
import { type AllowList, ANY_URL, checkAllowed, parseUrlSpelling, type UrlPolicy } from './url.ts';
import type { CommitId, RelativePath, RepositoryUrl } from './values.ts';

/**
 * What should run: the JSON in `<app znode>/config`, written by our publishers and by any other ZooKeeper client. Three
 * strict members are the whole contract. What gitfleet adds is in the optional `gitfleet`; its unknown members are
 * ignored unless `gitfleet.must` names them, so that neighbouring versions work together and nothing that matters is
 * overlooked.
 */
export interface Target {
  readonly url: RepositoryUrl;
  readonly commitId: CommitId;
  /** Where on the server, relative to the agent's root: the link to the active release. */
  readonly relativePath: RelativePath;
  readonly gitfleet?: TargetAdditions | undefined;
}

/** Private, so that the type checker accepts neither a literal nor a changed copy of a judged target as one. */
declare class Judged {
  private readonly judged: true;
}
declare class Listed {
  private readonly listed: true;
}

/** A target whose url an agent's settings list. It is not shown before it is allowed. */
export type ListedTarget = Target & Listed;

/** That a target was signed, as the agent that requires it has verified. */
export interface VerifiedEnvelope {
  /** As the list of signers names the key. */
  readonly signer: string;
  /** SHA-256 of the signed bytes. */
  readonly digest: string;
  readonly issuedAt: number;
  readonly notAfter?: number | undefined;
}

/** A target that an agent's own rules took: no other one reaches git or the disk. Only this file makes it. */
export type AllowedTarget = Target & { readonly envelope: VerifiedEnvelope | null } & Judged;

/** What is kept on the server already: it may be shown, and nothing is ever fetched for it. */
export type KeptTarget = Omit<Target, 'url'> & { readonly url: null; readonly envelope: null } & Judged;

export type JudgedTarget = AllowedTarget | KeptTarget;

/** The schema of a policy is made only for a target that has one: without `z.lazy`, every target would make it. */
const policyOfTarget = z.unknown().transform((value, context): Policy => {
  const read = foreignPolicy().safeParse(value);
  if (read.success) return read.data;
  for (const { message, path } of read.error.issues) context.addIssue({ code: 'custom', message, path });
  return z.NEVER;
});

const additions = z.object({
  /** n of `deployments/d-<n>`. */
  deployment: z.int().min(1).optional(),
  /** The branch or tag that was published: for git servers that refuse an exact commit, and for people. */
  ref: z.string().optional(),
  by: z.string().optional(),
  reason: z.string().optional(),
  /**
   * Of an automatic rollback: the targetVersion that it takes back. An agent that accepted a newer target than that one
   * refuses the rollback: ZooKeeper was set back, and no person has said that this target should run.
   */
  takesBack: z.string().optional(),
  /** What was signed (signed-target.ts), as base64. */
  signed: z.string().optional(),
  /** By whom: an SSHSIG of those bytes, as ssh-keygen writes it. */
  signature: z.string().optional(),
  /** Where its objects are, besides the repository (records/bundle.ts); what cannot be read counts as none. */
  bundle: z
    .unknown()
    .transform((value) => parseBundle(value))
    .optional(),
  /** How this one deployment rolls out, instead of the app's `policy`. */
  policy: policyOfTarget.optional(),
  /** Members of `gitfleet` that a reader has to know; otherwise it refuses the target. */
  must: z.array(z.string()).optional(),
});

export type TargetAdditions = Readonly<z.infer<typeof additions>>;

const shape = z.strictObject({
  url: z.string(),
  commitId: z.string().min(1),
  relativePath: z.string(),
  gitfleet: additions.optional(),
});

/** ZooKeeper would take 1 MiB, but a target needs a few hundred bytes, and every agent reads all of them. */
export const MAX_TARGET_BYTES = 16 * 1024;

/**
 * Never throws. The checks, in this order, and the first that fails decides the code: bytes (EMPTY, SIZE, ENCODING,
 * DUPLICATE, JSON), SHAPE, MUST_UNKNOWN, url (URL, SCHEME, CREDENTIALS, HOST), COMMIT, PATH, NOT_ALLOWED.
 */
export function parseTarget(bytes: Buffer, policy: AllowList): { ok: true; target: ListedTarget } | Refused;
export function parseTarget(bytes: Buffer, policy: UrlPolicy): { ok: true; target: Target } | Refused;
export function parseTarget(bytes: Buffer, policy: UrlPolicy): { ok: true; target: ListedTarget } | Refused {
  const json = parseStrictJson(bytes, MAX_TARGET_BYTES);
  if (!json.ok) return json;
  const shaped = shape.safeParse(json.value);
  if (!shaped.success) return refuse('SHAPE', shaped.error.issues.flatMap(sayIssue));
  const { gitfleet } = shaped.data;
  const unknown = gitfleet?.must?.filter((name) => !Object.hasOwn(additions.shape, name)) ?? [];
  if (unknown.length > 0) return mustUnknown(unknown);
  const url = parseUrlSpelling(shaped.data.url, policy);
  if (!url.ok) return url;
  const commit = parseCommitId(shaped.data.commitId);
  if (!commit.ok) return commit;
  const path = parseRelativePath(shaped.data.relativePath);
  if (!path.ok) return path;
  const allowed = checkAllowed(url.url, policy);
  if (!allowed.ok) return allowed;
  const contract = { url: url.url, commitId: commit.commitId, relativePath: path.relativePath };
  const target: Target = gitfleet === undefined ? contract : { ...contract, gitfleet };
  return { ok: true, target: target as ListedTarget };
}

/**
 * The last step of the door (agent/door/door.ts), and of a person on the server itself, whom no signature binds.
 * @param envelope null: none is required.
 * @param ref what was signed of it; where no envelope is required, the target's own counts.
 */
export function allowTarget(
  listed: ListedTarget,
  envelope: VerifiedEnvelope | null,
  ref?: string | null,
): AllowedTarget {
  const target: Target = envelope ? { ...listed, gitfleet: { ...listed.gitfleet, ref: ref ?? undefined } } : listed;
  return { ...target, envelope } as Target & { envelope: VerifiedEnvelope | null } as AllowedTarget;
}

/**
 * What a record on the server's own disk names. Only the rules for commit and path apply; it has no repository to
 * judge.
 */
export function parseKept(
  named: Record<'commitId' | 'relativePath', string>,
  gitfleet?: TargetAdditions,
): { ok: true; target: KeptTarget } | Refused {
  const commit = parseCommitId(named.commitId);
  if (!commit.ok) return commit;
  const path = parseRelativePath(named.relativePath);
  if (!path.ok) return path;
  const target = { url: null, commitId: commit.commitId, relativePath: path.relativePath, gitfleet, envelope: null };
  return { ok: true, target: target as KeptTarget };
}

/** Whether two targets ask for the same thing: `gitfleet` is not compared. */
export const isSameTarget = (one: TargetMembers, other: TargetMembers): boolean =>
  one.url === other.url && one.commitId === other.commitId && one.relativePath === other.relativePath;

type TargetMembers = Record<'url' | 'commitId' | 'relativePath', string>;

/**
 * What makes two targets different, as records, a rollout's base and the coordinator keep it: the three members, and the
 * signed envelope where there is one. Who goes back to it gives the agents the same envelope again.
 */
export interface TargetCore {
  readonly url: string;
  readonly commitId: string;
  readonly relativePath: string;
  readonly signed?: string | undefined;
  readonly signature?: string | undefined;
}

export function coreOf({ url, commitId, relativePath, gitfleet }: Target): TargetCore {
  const { signed, signature } = gitfleet ?? {};
  return { url, commitId, relativePath, ...(signed === undefined ? {} : { signed, signature }) };
}

/** The same members where config has them. */
export function membersOf({ url, commitId, relativePath, signed, signature }: TargetCore) {
  return { url, commitId, relativePath, ...(signed === undefined ? {} : { gitfleet: { signed, signature } }) };
}

/** A target out of what history or a rollout kept of it. @throws FleetError as parseTarget says. */
export function targetOf(core: TargetCore): Target {
  const judged = parseTarget(Buffer.from(JSON.stringify(membersOf(core))), ANY_URL);
  if (!judged.ok) throw new FleetError(judged.failure);
  return judged.target;
}

/**
 * Parses its result before it returns it: a target that every reader would refuse is never published. @throws
 * FleetError
 */
export function encodeTarget(target: Target): Buffer {
  const { url, commitId, relativePath, gitfleet } = target;
  const bytes = Buffer.from(JSON.stringify({ url, commitId, relativePath, gitfleet }));
  const parsed = parseTarget(bytes, ANY_URL);
  if (!parsed.ok) throw new FleetError(parsed.failure);
  return bytes;
}

function mustUnknown(names: readonly string[]): Refused {
  const reason = `the target demands what this version does not know: ${names.slice(0, 5).map(shown).join(', ')}`;
  return refuse('MUST_UNKNOWN', reason);
}

/** One sentence per issue, of known names and of values that went through `shown`. */
function sayIssue(issue: z.core.$ZodIssue): string[] {
  const where = issue.path.map(String).join('.') || 'the value';
  if (issue.code !== 'unrecognized_keys') return [`${where}: ${issue.message}`];
  const more = issue.keys.length > 3 ? ` and ${issue.keys.length - 3} more` : '';
  return [`${where}: unknown ${issue.keys.slice(0, 3).map(shown).join(', ')}${more}`];
}

/** What readers and writers of a target also need. */
export { compareTargetVersions, parseTargetVersion, targetVersionOf, wasBefore } from './target-version.ts';
export { type AllowList, ANY_URL, type UrlPolicy } from './url.ts';
