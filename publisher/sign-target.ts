import { type SshKeygen, signBySsh } from '../git/ssh/signature.ts';
import { issuedAfter, NAMESPACE, type SignedTarget, signedBytes } from '../schemas/signed/signed-target.ts';
import type { Target } from '../schemas/target.ts';

/**
 * Signs targets for agents that require it (agent.verify). Loaded only where a key is given. One publish is signed once,
 * before its transaction: neither a lost reply nor a version that moved on asks for another signature.
 */
export interface TargetSigner {
  /**
   * Signs what will probably be published, while nothing else is known yet. Never throws: `sign` says what failed.
   * @param ref as `sign` will get it.
   */
  begin(target: Target): void;
  /**
   * @param current what config holds: the order of signed targets goes on from there.
   * @returns the target with its envelope.
   * @throws FleetError SIGN_FAILED
   */
  sign(target: Target, current: Target | null): Promise<Target>;
}

export interface SignerParts {
  /** A private key, or a public one whose private half ssh-agent holds. */
  readonly keyFile: string;
  readonly audience: string;
  readonly app: string;
  readonly ssh: SshKeygen;
}

export function createTargetSigner({ keyFile, audience, app, ssh }: SignerParts): TargetSigner {
  let begun: { readonly key: string; readonly issuedAt: number; readonly signed: Promise<Target> } | null = null;

  async function signAt(target: Target, issuedAt: number): Promise<Target> {
    const { url, commitId, relativePath, gitfleet } = target;
    const ref = gitfleet?.ref ?? null;
    const said: SignedTarget = { version: 1, audience, app, url, commitId, relativePath, ref, issuedAt };
    const bytes = signedBytes(said);
    const signature = await signBySsh(ssh, keyFile, NAMESPACE, bytes);
    return { ...target, gitfleet: { ...gitfleet, signed: bytes.toString('base64'), signature } };
  }

  return {
    begin(target) {
      const issuedAt = ssh.clock.now();
      const signed = signAt(target, issuedAt);
      signed.catch(() => {});
      begun = { key: keyOf(target), issuedAt, signed };
    },
    async sign(target, current) {
      const before = current?.gitfleet?.signed;
      const fits = begun?.key === keyOf(target) && issuedAfter(before, begun.issuedAt) === begun.issuedAt;
      const early = fits ? begun : null;
      begun = null;
      return await (early?.signed ?? signAt(target, issuedAfter(before, ssh.clock.now())));
    },
  };
}

const keyOf = ({ url, commitId, relativePath, gitfleet }: Target): string =>
  JSON.stringify([url, commitId, relativePath, gitfleet?.ref ?? null]);
