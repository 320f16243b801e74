import type { AgentView } from '../fleet/fleet-view.ts';
import type { CommitGraph } from '../git/host/commit-graph.ts';
import { FleetError } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { branchRuleFor } from '../schemas/settings/branch-rules.ts';
import type { CommitId, RepositoryUrl } from '../schemas/values.ts';
import type { UrlVerdict } from './allowed-urls.ts';

/** What a publisher can find out about the commit, before anything is written. */
export interface CommitFacts {
  /** The commits at these refs of the repository; null for a ref that it does not have. */
  readonly tips: (refs: readonly string[]) => Promise<readonly (string | null)[]>;
  /** Of a clone, or of the repository that received the push; null: there is none. */
  readonly graph: Pick<CommitGraph, 'containedIn' | 'hasSignature'> | null;
}

interface AskedCommit {
  readonly url: RepositoryUrl;
  readonly commitId: CommitId;
  /** Whether this publisher signs the target: agents that accept its signature do not look for the branch themselves. */
  readonly signs: boolean;
  /** The branch or tag that is published; a tag may carry the signature. */
  readonly ref: string | null;
}

/**
 * Whether the online agents will accept the commit, by the rules that their presences name: the branches on which it has
 * to be, and whether it has to be signed. What cannot be found out here is left to the agents; only a signer is told,
 * because its signature says that the commit may run.
 */
export async function judgeCommit(
  fleet: readonly AgentView[],
  asked: AskedCommit,
  facts: CommitFacts,
): Promise<UrlVerdict> {
  const online = fleet.filter(({ presence }) => presence !== null);
  const verdicts = [
    await judgeBranches(online, asked, facts).catch(() => NO_OBJECTION),
    await judgeSigned(online, asked, facts),
  ];
  const warnings = verdicts.flatMap(({ warning }) => warning ?? []);
  return {
    warning: warnings.length > 0 ? warnings.join('; ') : null,
    refusal: verdicts.find(({ refusal }) => refusal !== null)?.refusal ?? null,
  };
}

const NO_OBJECTION: UrlVerdict = { warning: null, refusal: null };

async function judgeBranches(
  online: readonly AgentView[],
  { url, commitId, signs }: AskedCommit,
  facts: CommitFacts,
): Promise<UrlVerdict> {
  const rules = online.map(({ presence }) => branchRuleFor({ reachableFrom: presence?.reachableFrom }, url));
  const sets = [...new Set(rules.filter((rule) => typeof rule !== 'string').map((refs) => JSON.stringify(refs)))];
  const answers = new Map<string, boolean | null>();
  for (const set of sets) answers.set(set, await isOn(commitId, JSON.parse(set), facts));
  const refusing = rules.filter(
    (rule) => rule === 'refused' || (typeof rule !== 'string' && answers.get(JSON.stringify(rule)) === false),
  );
  const short = commitId.slice(0, 12);
  const names = [...new Set(sets.flatMap((set) => JSON.parse(set) as string[]))].map((ref) => visible(ref, 100));
  if (refusing.length === 0) {
    if (!signs || ![...answers.values()].includes(null)) return NO_OBJECTION;
    const words = `whether ${short} is on ${names.join(', ')} is not known here, and the signature says that it may run`;
    return { warning: words, refusal: null };
  }
  const accepted = names.length > 0 ? `only commits on ${names.join(', ')}` : 'only commits of other repositories';
  const said = `${refusing.length} of ${online.length} agents accept ${accepted}, and ${short} is not one`;
  if (refusing.length < online.length && !signs) {
    return { warning: `${said}: they will refuse this target`, refusal: null };
  }
  const hint = 'merge the commit and push, or give another --url; or publish with --no-check';
  return { warning: null, refusal: FleetError.of('NOT_ON_BRANCH', said, hint) };
}

/** Null: not known here. */
async function isOn(
  commitId: CommitId,
  refs: readonly string[],
  { tips, graph }: CommitFacts,
): Promise<boolean | null> {
  const found = await tips(refs);
  if (found.includes(commitId)) return true;
  const branches = found.filter((tip, at) => tip !== null && refs[at]?.startsWith('refs/heads/') === true);
  const answers: (boolean | null)[] = [];
  for (const tip of branches) {
    const contained = (await graph?.containedIn(tip as CommitId, [commitId])) ?? null;
    answers.push(contained && contained.length > 0);
  }
  if (answers.includes(true)) return true;
  return answers.includes(null) ? null : false;
}

async function judgeSigned(
  online: readonly AgentView[],
  { commitId, ref }: AskedCommit,
  { graph }: CommitFacts,
): Promise<UrlVerdict> {
  const requiring = online.filter(({ presence }) => presence?.signedCommits === true);
  if (requiring.length === 0) return NO_OBJECTION;
  if (((await graph?.hasSignature(commitId, ref)) ?? null) !== false) return NO_OBJECTION;
  const said = `${requiring.length} of ${online.length} agents require a signed commit, and ${commitId.slice(0, 12)} is not`;
  if (requiring.length < online.length) return { warning: `${said}: they will refuse this target`, refusal: null };
  const hint = 'sign it (git commit --amend -S), or publish a signed tag of it by its name; or publish with --no-check';
  return { warning: null, refusal: FleetError.of('COMMIT_UNSIGNED', said, hint) };
}
