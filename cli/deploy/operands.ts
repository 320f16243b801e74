/** Operands of the command line that name a deployment, a commit or an agent. */
import { quarantinedIn } from '../../fleet/admission.ts';
import { readHistory } from '../../fleet/history.ts';
import type { NamedDeployment } from '../../publisher/rollback.ts';
import { FleetError } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import { deploymentName } from '../../schemas/deployment.ts';
import { parseQuarantine } from '../../schemas/hold.ts';
import { suggest } from '../../schemas/text/suggest.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import { usage } from '../shell/terminal.ts';
import { remoteOfUser } from './resolve-asked.ts';

/** `d-12` or `12` as a person types it; null if there was none. @throws FleetError USAGE */
export function namedDeployment(word: string | undefined): number | null {
  if (word === undefined) return null;
  const number = Number(/^(?:d-)?([1-9]\d{0,14})$/.exec(word)?.[1]);
  if (Number.isSafeInteger(number)) return number;
  throw usage(
    `${JSON.stringify(word.slice(0, 60))} does not name a deployment`,
    'deployments have names such as d-12; gitfleet history lists them',
  );
}

/**
 * A deployment, or a commit that was deployed: `d-12`, `12`, a full id or at least 7 digits of one. A word of 7 digits
 * or more is a commit. Null if there was none. @throws FleetError USAGE
 */
export function namedDeploymentOrCommit(word: string | undefined): NamedDeployment | null {
  const commit = word?.toLowerCase() ?? '';
  if (/^[0-9a-f]{7,64}$/.test(commit)) return { commit };
  const number = namedDeployment(word);
  return number === null ? null : { number };
}

/**
 * The commit that a person named for the quarantine: a full id, `d-12`, the beginning of an id in the history or the
 * quarantine, or any name in the current clone.
 * @throws FleetError NO_SUCH_REV, AMBIGUOUS_REV
 */
export async function namedCommit(session: Session, paths: Znodes, word: string): Promise<CommitId> {
  const wanted = word.toLowerCase();
  if (isCommitId(wanted)) return wanted;
  const [history, node] = await Promise.all([
    readHistory(session, paths, Number.POSITIVE_INFINITY),
    session.get(paths.quarantine),
  ]);
  const deployed = history.find((record) => deploymentName(record.number) === wanted)?.target.commitId;
  if (deployed !== undefined && isCommitId(deployed)) return deployed;
  const known = [
    ...history.map((record) => record.target.commitId),
    ...quarantinedIn(parseQuarantine(node?.data ?? Buffer.alloc(0))).map((each) => each.commitId),
  ].filter(isCommitId);
  const fits = [...new Set(known)].filter((commitId) => /^[0-9a-f]{7,}$/.test(wanted) && commitId.startsWith(wanted));
  if (fits.length === 1) return fits[0] as CommitId;
  const named = fits.length > 1 || word.startsWith('-') ? null : await inClone(word);
  if (named) return named;
  throw FleetError.of(
    fits.length > 1 ? 'AMBIGUOUS_REV' : 'NO_SUCH_REV',
    `"${visible(word, 100)}" ${fits.length > 1 ? `begins ${fits.length} commits` : 'is no commit that the history or a clone here knows'}`,
    'a full commit id, d-12, or at least 7 digits of an id that gitfleet history shows',
  );
}

const inClone = (word: string): Promise<CommitId | null> =>
  remoteOfUser()
    .resolveRef(process.cwd(), word)
    .catch(() => null);

/** The error for an unknown agent, with a name that may have been meant. */
export async function agentUnknown(session: Session, paths: Znodes, agentId: string): Promise<FleetError> {
  const [online, reported] = await Promise.all([session.children(paths.online), session.children(paths.agents)]);
  const meant = suggest(agentId, [...new Set([...(online ?? []), ...(reported ?? [])])].sort());
  return FleetError.of(
    'AGENT_UNKNOWN',
    `${visible(agentId, 100)} was never online here, and no report of it is left`,
    meant ? `did you mean ${visible(meant, 100)}?` : 'gitfleet status shows the agents of this app',
  );
}
