import type { Code } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';

/**
 * Gives the failure of a publisher's git a hint that helps the publisher. The hints in errors.ts are for the operator
 * of an agent, which has its own credentials and store and retries automatically.
 */
export function forPublisher(found: FleetError): FleetError {
  const hint = HINTS[found.code] ?? (FOR_ALL.has(found.code) ? found.hint : SEE_WORDS);
  return new FleetError({ ...found.toFailure(), hint });
}

const SEE_WORDS = 'see what git says in the reason; fix it, then run the command again';

/** For these codes, the hint in errors.ts is about the repository and holds for every client. */
const FOR_ALL: ReadonlySet<Code> = new Set([
  'REPOSITORY_NOT_FOUND',
  'REDIRECTED',
  'DUMB_HTTP',
  'OBJECT_FORMAT',
  'COMMIT_NOT_FOUND',
]);

/** With a full id the server is queried too, but does not have to answer. */
const HINTS: Readonly<Partial<Record<Code, string>>> = {
  FETCH_FAILED: 'check that this machine reaches the git server, then run the command again; or give a full commit id',
  AUTH: 'check the key or password that git has here: git ls-remote asks the same way; or give a full commit id',
  HOST_KEY: 'compare the host key with its owner, then put it into your known_hosts; or give a full commit id',
  TLS: 'check the certificate of the server, and http.sslCAInfo in your git config; or give a full commit id',
  ORIGIN_OWNER: 'the repository at the file url must belong to you; or take its ssh or https url',
  NO_SPACE: 'free disk space on this machine, then run the command again',
};
