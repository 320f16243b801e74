import type { AgentView } from '../../fleet/fleet-view.ts';
import { fingerprintOf } from '../../git/ssh/read-signature.ts';
import { visible } from '../../runtime/safe-text.ts';
import { names } from './words.ts';

/** The key that a signature names. Whether it is its own, only agents verify. Empty: there is no signature. */
export const signedWith = (signature: string | undefined): string => {
  const fingerprint = fingerprintOf(signature);
  return fingerprint === '' ? '' : `signed with ${fingerprint}`;
};

/**
 * Who signed what the app shows, and how many agents require that. Empty where there is no signature and none is
 * required. A name is that of the list of an agent that verified it.
 */
export function signatureWords(
  signature: string | undefined,
  fleet: readonly AgentView[],
  targetVersion: string,
): string {
  const online = fleet.filter(({ presence }) => presence !== null);
  const requiring = online.filter(({ presence }) => presence?.audience != null).length;
  if (signature === undefined && requiring === 0) return '';
  const reports = online.map(({ report }) => report).filter((report) => report?.targetVersion === targetVersion);
  const signers = [
    ...new Set(reports.flatMap((report) => (report?.signer == null ? [] : [visible(report.signer, 100)]))),
  ];
  const by = signers.length > 0 ? `signed by ${names(signers)}` : signedWith(signature) || 'not signed';
  return `${by}; ${requiring} of ${online.length} agents require a signature`;
}
