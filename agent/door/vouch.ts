import type { SshKeygen } from '../../git/ssh/signature.ts';
import type { FetchRequest, Reach, Store } from '../../git/store.ts';
import { FleetError } from '../../runtime/errors.ts';
import { type BranchRule, branchRuleFor } from '../../schemas/settings/branch-rules.ts';
import type { AllowedTarget, JudgedTarget } from '../../schemas/target.ts';
import type { SignedTags } from '../state/signed-tags.ts';
import type { VouchedMemory } from '../state/vouched.ts';
import { createCommitSignature } from './commit-signature.ts';

/**
 * The second half of the door: whether the commit itself is what agent.verify requires. It must be on one of the
 * branches of `reachableFrom`, and signed if `commit: required` (commit-signature.ts). A forge serves the commits of
 * forks, and of branches that were never merged, below the url of the repository, so the url alone proves nothing.
 *
 * It is asked after the fetch, before anything is written for the target. It is not asked again for what a link shows,
 * and never for what a person on this server chose. Where an accepted signature covers the target, its signer has
 * checked the branch, and only a canary looks itself.
 */
export interface Vouch {
  /** Whether nothing is left to find out. Contacts no server. */
  vouched(target: JudgedTarget, isCanary: boolean): Promise<boolean>;
  /** What to ask in the request that fetches the commit; undefined: nothing. */
  tips(target: JudgedTarget, isCanary: boolean): FetchRequest['tips'];
  /** @throws FleetError NOT_ON_BRANCH, NO_FILTER, COMMIT_UNSIGNED, COMMIT_SIGNER, COMMIT_SIGNATURE; those of a fetch. */
  vouch(target: JudgedTarget, how: HowToVouch, signal: AbortSignal): Promise<void>;
}

interface HowToVouch {
  readonly isCanary: boolean;
  /** Waits for this agent's turn at the origin. Called only if the origin has to be asked. */
  readonly inTurn: <T>(ask: () => Promise<T>) => Promise<T>;
}

export interface VouchRules {
  readonly verify: {
    readonly commit: 'off' | 'required';
    readonly signersFile?: string | undefined;
    readonly revokedFile?: string | undefined;
    readonly reachableFrom: readonly BranchRule[];
  };
}

interface VouchParts {
  /** As the settings are now. */
  readonly rules: () => VouchRules;
  readonly store: Pick<Store, 'findRef' | 'readCommit' | 'fetchTag'>;
  readonly memory: VouchedMemory;
  readonly tags: SignedTags;
  readonly appState: string;
  readonly ssh: SshKeygen;
}

/** For agents without such rules. */
export const NO_VOUCH: Vouch = { vouched: async () => true, tips: () => undefined, vouch: async () => {} };

export function createVouch({ rules, store, memory, tags, appState, ssh }: VouchParts): Vouch {
  const signature = createCommitSignature({ signers: () => rules().verify, store, tags, appState, ssh });
  /** What the last fetch said about the tips, until it is asked for. */
  let tipFound: { readonly url: string; readonly commitId: string; readonly ref: string } | null = null;

  /** The refs of which one must have the commit; null: there is nothing to find out. */
  function openRefs({ url, commitId, envelope }: AllowedTarget, isCanary: boolean): readonly string[] | null {
    if (envelope !== null && !isCanary) return null;
    const refs = branchRuleFor(rules().verify, url);
    if (refs === 'none') return null;
    if (refs === 'refused') return [];
    const known = memory.refsOf(url, commitId);
    return refs.some((ref) => known.includes(ref)) ? null : refs;
  }

  async function findBranch(target: AllowedTarget, refs: readonly string[], ask: () => Promise<Reach>): Promise<void> {
    const { url, commitId } = target;
    const tip = tipFound;
    tipFound = null;
    if (tip?.url === url && tip.commitId === commitId && refs.includes(tip.ref)) return await memory.remember(tip);
    if (refs.length === 0) throw FleetError.of('NOT_ON_BRANCH', 'the settings name no branch of this repository');
    const { ref, looked, all } = await ask();
    if (ref !== null) return await memory.remember({ url, commitId, ref });
    const where = `looked through ${all ? 'all' : 'the newest'} ${looked} commits of ${refs.join(', ')}`;
    throw FleetError.of('NOT_ON_BRANCH', `${commitId.slice(0, 12)} is not there: ${where}`);
  }

  return {
    async vouched(target, isCanary) {
      if (target.url === null) return true;
      if (openRefs(target, isCanary) !== null) return false;
      return rules().verify.commit === 'off' || (await signature.isSigned(target).catch(() => false));
    },
    tips(target, isCanary) {
      const refs = target.url === null ? null : openRefs(target, isCanary);
      if (target.url === null || refs === null || refs.length === 0) return undefined;
      const { url } = target;
      const found = (commitId: string, [ref]: readonly string[]) => {
        tipFound = ref === undefined ? null : { url, commitId, ref };
      };
      return { refs, found };
    },
    async vouch(target, { isCanary, inTurn }, signal) {
      if (target.url === null) return;
      const { url, commitId } = target;
      if (rules().verify.commit === 'required') {
        await signature.check(target, (ref) => inTurn(() => store.fetchTag(url, ref, signal)));
      }
      const refs = openRefs(target, isCanary);
      if (refs === null) return;
      await findBranch(target, refs, () => inTurn(() => store.findRef({ url, commitId, refs }, signal)));
    },
  };
}
