import { join } from 'node:path';
import type { SshKeygen } from '../../git/ssh/signature.ts';
import { readSignedCommit, readSignedTag, type SignedObject } from '../../git/ssh/signed-object.ts';
import type { Store } from '../../git/store.ts';
import { FleetError } from '../../runtime/errors.ts';
import { isPlainRef } from '../../schemas/settings/branch-rules.ts';
import type { AllowedTarget } from '../../schemas/target.ts';
import type { SignedTags } from '../state/signed-tags.ts';
import { createVerifySignature } from './verify-signature.ts';

/**
 * `commit: required`: the commit, or an annotated tag that names it, has to be signed by a key of the list of signers
 * with `namespaces="git"`, and that key has to count now. So a thief cannot put a commit back to a time when the key
 * still counted; and a commit of a key that no longer counts cannot be deployed to a server that does not show it.
 */
export interface CommitSignature {
  /** Whether it is known to be signed, without a question to a server. */
  isSigned(target: AllowedTarget): Promise<boolean>;
  /** @throws FleetError COMMIT_UNSIGNED, COMMIT_SIGNER, COMMIT_SIGNATURE, SIGNERS_FILE, NO_SSH_KEYGEN; of a fetch. */
  check(target: AllowedTarget, fetchTag: (ref: string) => ReturnType<Store['fetchTag']>): Promise<void>;
}

interface CommitSignatureParts {
  readonly signers: () => { readonly signersFile?: string | undefined; readonly revokedFile?: string | undefined };
  readonly store: Pick<Store, 'readCommit'>;
  readonly tags: SignedTags;
  readonly appState: string;
  readonly ssh: SshKeygen;
}

/** Of git's own signatures. */
const GIT_NAMESPACE = 'git';

export function createCommitSignature(parts: CommitSignatureParts): CommitSignature {
  const { signers, store, tags, appState, ssh } = parts;
  const verify = createVerifySignature({ ssh, directory: join(appState, 'verify-commit'), namespace: GIT_NAMESPACE });

  /** Null: its signature counts. */
  async function judge(what: string, read: SignedObject): Promise<FleetError | null> {
    if (read.kind === 'unsigned') return FleetError.of('COMMIT_UNSIGNED', `${what} has no SSH signature`);
    if (read.kind === 'odd') return FleetError.of('COMMIT_SIGNATURE', `${what}: ${read.why}`);
    const { signersFile = '', revokedFile } = signers();
    const by = await verify({ signersFile, revokedFile }, read.signature, read.payload);
    if (by.ok) return null;
    return FleetError.of(by.fault === 'signer' ? 'COMMIT_SIGNER' : 'COMMIT_SIGNATURE', `${what}: ${by.why}`);
  }

  async function judgeCommit({ commitId }: AllowedTarget): Promise<FleetError | null> {
    const read = readSignedCommit(commitId, await store.readCommit(commitId));
    return await judge(`commit ${commitId.slice(0, 12)}`, read);
  }

  async function hasKeptTag({ commitId }: AllowedTarget): Promise<boolean> {
    const tag = tags.of(commitId);
    return tag !== null && (await judge('tag', readSignedTag(tag.id, tag.content, commitId))) === null;
  }

  return {
    isSigned: async (target) => (await hasKeptTag(target)) || (await judgeCommit(target)) === null,
    async check(target, fetchTag) {
      if (await hasKeptTag(target)) return;
      const wrong = await judgeCommit(target);
      const ref = wrong && tagOf(target);
      if (wrong === null) return;
      const tag = ref && (await fetchTag(ref));
      if (!tag) throw wrong;
      const read = readSignedTag(tag.id, tag.content, target.commitId);
      const wrongTag = await judge(`tag ${ref.slice('refs/tags/'.length)}`, read);
      if (wrongTag) throw wrong.code === 'COMMIT_UNSIGNED' ? wrongTag : wrong;
      await tags.remember(target.commitId, tag);
    },
  };
}

/** The tag that was published, if it was one. */
function tagOf({ gitfleet }: AllowedTarget): string | null {
  const ref = `refs/tags/${(gitfleet?.ref ?? '').replace(/^refs\/tags\//, '')}`;
  return isPlainRef(ref) ? ref : null;
}
