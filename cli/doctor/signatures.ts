import { readSigners } from '../../agent/door/signers.ts';
import type { AgentView } from '../../fleet/fleet-view.ts';
import { linesWithoutNamespace, parseSigners } from '../../git/ssh/allowed-signers.ts';
import { judgeSignature } from '../../publisher/required-signature.ts';
import { names } from '../../publisher/screens/words.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { NAMESPACE } from '../../schemas/signed/signed-target.ts';
import { type Finding, failed, fromError, ok, warning } from './finding.ts';

/** What the agents require, and whether a publish with these settings would have it. */
export function signatureFindings(agents: readonly AgentView[], { publisher }: Settings): Finding[] {
  const online = agents.filter(({ presence }) => presence !== null);
  if (online.length === 0) return [];
  const whom = [...new Set(online.flatMap(({ presence }) => presence?.audience ?? []))];
  if (whom.length === 0)
    return [ok('signatures', 'not required: who can write config chooses the commit (docs/security.md)')];
  const { warning: some, refusal } = judgeSignature(agents, publisher.signKey ? (publisher.audience ?? null) : null);
  const asked = online.filter(({ presence }) => presence?.audience != null).length;
  if (some === null && refusal === null) {
    const says = `${asked} of ${online.length} agents require one for ${names(whom)}, and publish signs for it`;
    return [ok('signatures', says)];
  }
  return [
    warning(
      'signatures',
      refusal?.message ?? some ?? '',
      'to publish from here, give --sign-key FILE and --audience NAME',
    ),
  ];
}

/** The list of signers, by the rules of the agent's door; lines that do not count are named, since nothing else shows them. */
export async function checkSigners({ agent }: Settings): Promise<Finding[]> {
  const { target, signersFile } = agent.verify;
  if (target === 'off' || signersFile === undefined) return [];
  try {
    const text = await readSigners(signersFile);
    const counted = parseSigners(text, NAMESPACE).length;
    const idle = linesWithoutNamespace(text, NAMESPACE);
    const says = `${signersFile}: ${counted} ${counted === 1 ? 'line counts' : 'lines count'} for targets`;
    if (counted > 0 && idle === 0) return [ok('signers', says)];
    const hint = `a line counts with namespaces="${NAMESPACE}", and without cert-authority`;
    return [counted === 0 ? failed('signers', says, hint) : warning('signers', `${says}, ${idle} not`, hint)];
  } catch (error) {
    return [fromError('signers', error)];
  }
}
