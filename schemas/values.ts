/** Value types that contract and mechanisms share. The only file of `schemas/` that `git/` and `zookeeper/` import. */

/** Full lower-case object name of a commit: 40 hex digits (sha1) or 64 (sha256), never all zero. */
export type CommitId = string & { readonly brand: 'CommitId' };
/** Plain segments below the agent's root, such as `shop/web`. */
export type RelativePath = string & { readonly brand: 'RelativePath' };
/** A repository url that passed the rules of schemas/url.ts; the scp form is already rewritten to ssh://. */
export type RepositoryUrl = string & { readonly brand: 'RepositoryUrl' };
/** `<mzxid hex>.<mtime ms>` of the config znode: each write has a new one, even with the same bytes. */
export type TargetVersion = string & { readonly brand: 'TargetVersion' };

/**
 * What the settings grant for urls below `prefix`. Files are read at each use, so that a rotated key needs no restart.
 */
export interface Credential {
  prefix: string;
  sshKeyFile?: string | undefined;
  knownHosts?: string | undefined;
  tokenFile?: string | undefined;
  caFile?: string | undefined;
  /** For http and https: the proxy for requests. */
  proxy?: string | undefined;
}
