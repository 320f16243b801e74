import type { CodeRows } from './row.ts';

/** Signed targets: what an agent that requires a signature refuses, and what a signer meets. */
export const signatureCodes = () =>
  ({
    SIGNATURE_MISSING: {
      next: 'stall',
      about: 'target',
      means: 'The agent requires a signed target, and this one has no signature.',
      hint: 'publish it signed: gitfleet publish COMMIT --sign-key FILE --audience NAME',
    },
    UNKNOWN_SIGNER: {
      next: 'stall',
      about: 'target',
      means: 'The target is signed with a key that the agent does not accept, or no longer.',
      hint: 'sign with a key of agent.verify.signersFile, or add its line there, with namespaces="gitfleet@v1"',
    },
    SIGNATURE_INVALID: {
      next: 'stall',
      about: 'target',
      means: 'The signature is not one of this target: other bytes, another namespace, or no signature at all.',
      hint: 'publish it again: gitfleet publish COMMIT --sign-key FILE; if it is not yours, see docs/security.md',
    },
    REPLAYED: {
      next: 'stall',
      about: 'target',
      means: 'The target was signed before one that this agent has accepted, and is not the last good one here.',
      hint: 'to return to it, sign it again: gitfleet rollback d-N --sign-key FILE --audience NAME',
    },
    EXPIRED: {
      next: 'stall',
      about: 'target',
      means: 'The time until which the signer allowed the target to be accepted is over.',
      hint: 'publish it again: gitfleet publish COMMIT --sign-key FILE --audience NAME',
    },
    AUDIENCE: {
      next: 'stall',
      about: 'target',
      means: 'The target was signed for another installation or another app.',
      hint: 'sign for the audience in the settings of the agents (agent.verify.audience): --audience NAME',
    },
    CLOCK: {
      next: 'wait',
      about: 'server',
      means: 'The target was signed more than five minutes ahead of the clock of this server.',
      hint: 'set the clock of this server, or of the signer; the agent looks again automatically',
    },
    SIGNERS_FILE: {
      next: 'wait',
      about: 'server',
      means: 'The list of signers cannot be read, or others than root may change it.',
      hint: 'give the file and the directories above it to root, writable by root alone; the agent looks again automatically',
    },
    NO_SSH_KEYGEN: {
      next: 'wait',
      about: 'server',
      means: 'The program ssh-keygen, which checks signatures, cannot be run.',
      hint: 'install it (Debian: openssh-client); the agent looks again automatically',
    },
    NOT_ON_BRANCH: {
      next: 'stall',
      about: 'target',
      means: 'The commit is on none of the branches and tags from which the agent accepts commits.',
      hint: 'merge it into such a branch (agent.verify.reachableFrom) and push; the agent looks again automatically',
    },
    NO_FILTER: {
      next: 'stall',
      about: 'origin',
      means:
        'The git server cannot send commits without their files, so the history of a branch cannot be looked through.',
      hint: 'on the git host: git config uploadpack.allowFilter true (gitfleet hook install sets it); until then publish a tip',
    },
    COMMIT_UNSIGNED: {
      next: 'stall',
      about: 'target',
      means: 'The agent requires a signed commit or a signed annotated tag, and there is no signature.',
      hint: 'sign with gpg.format=ssh: git commit -S, or git tag -s v1 and gitfleet publish v1',
    },
    COMMIT_SIGNER: {
      next: 'stall',
      about: 'target',
      means: 'The commit or its tag is signed with a key that the agent does not accept, or no longer.',
      hint: 'sign with a key of agent.verify.signersFile, or add its line there, with namespaces="git"',
    },
    COMMIT_SIGNATURE: {
      next: 'stall',
      about: 'target',
      means: 'What the commit or its tag carries is not one valid SSH signature of it.',
      hint: 'sign it again with gpg.format=ssh: git commit --amend -S; other kinds of signatures do not count',
    },
    SIGN_FAILED: {
      next: 'stall',
      about: 'request',
      means: 'ssh-keygen made no signature; nothing was published.',
      hint: 'check that the file is a key that you may use; a key with a passphrase needs ssh-agent: name its .pub file',
    },
  }) as const satisfies CodeRows;
