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
  const rules = commitFindings(online);
  if (whom.length === 0 && rules.length === 0)
    return [ok('signatures', 'not required: who can write config chooses the commit (docs/security.md)')];
  if (whom.length === 0) return [ok('signatures', 'of targets are not required'), ...rules];
  const { warning: some, refusal } = judgeSignature(agents, publisher.signKey ? (publisher.audience ?? null) : null);
  const asked = online.filter(({ presence }) => presence?.audience != null).length;
  if (some === null && refusal === null) {
    const says = `${asked} of ${online.length} agents require one for ${names(whom)}, and publish signs for it`;
    return [ok('signatures', says), ...rules];
  }
  const hint = 'to publish from here, give --sign-key FILE and --audience NAME';
  return [warning('signatures', refusal?.message ?? some ?? '', hint), ...rules];
}

/** What the agents require of the commit itself. A rule that only some agents have protects only these. */
function commitFindings(online: readonly AgentView[]): Finding[] {
  const onBranch = online.filter(({ presence }) => presence?.reachableFrom != null);
  const signed = online.filter(({ presence }) => presence?.signedCommits === true);
  const refs = onBranch.flatMap(({ presence }) => presence?.reachableFrom?.flatMap((rule) => rule.refs) ?? []);
  const found: [string, readonly AgentView[]][] = [
    [`accept only commits on ${names([...new Set(refs)])}`, onBranch],
    ['require a signed commit', signed],
  ];
  return found.flatMap(([what, agents]) => {
    if (agents.length === 0) return [];
    const says = `${agents.length} of ${online.length} agents ${what}`;
    const hint = 'set agent.verify alike on every server: the others show whatever config names';
    return [agents.length === online.length ? ok('commits', says) : warning('commits', says, hint)];
  });
}

/** The list of signers, by the rules of the agent's door; lines that do not count are named, since nothing else shows them. */
export async function checkSigners({ agent }: Settings): Promise<Finding[]> {
  const { target, commit, signersFile, revokedFile } = agent.verify;
  if (signersFile === undefined) return [];
  const uses = [
    ...(target === 'required' ? [{ what: 'targets', namespace: NAMESPACE }] : []),
    ...(commit === 'required' ? [{ what: 'commits', namespace: 'git' }] : []),
  ];
  try {
    if (revokedFile !== undefined) await readSigners(revokedFile);
    const text = await readSigners(signersFile);
    return uses.map(({ what, namespace }) => {
      const counted = parseSigners(text, namespace).length;
      const idle = uses.length > 1 ? 0 : linesWithoutNamespace(text, namespace);
      const says = `${signersFile}: ${counted} ${counted === 1 ? 'line counts' : 'lines count'} for ${what}`;
      if (counted > 0 && idle === 0) return ok('signers', says);
      const hint = `a line counts with namespaces="${namespace}", and without cert-authority`;
      return counted === 0 ? failed('signers', says, hint) : warning('signers', `${says}, ${idle} not`, hint);
    });
  } catch (error) {
    return [fromError('signers', error)];
  }
}
