import { quarantinedIn } from '../fleet/admission.ts';
import { newestProven, readHistory } from '../fleet/history.ts';
import { FleetError } from '../runtime/errors.ts';
import { isCommitId } from '../schemas/commit-id.ts';
import { type Deployment, deploymentName } from '../schemas/deployment.ts';
import { parseQuarantine, type Quarantined } from '../schemas/hold.ts';
import { isSameTarget } from '../schemas/target.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';

/** What a person named: a deployment, or a commit by a prefix of its id. */
export type NamedDeployment = { readonly number: number } | { readonly commit: string };

/**
 * Which deployment `rollback` returns to.
 * @param wanted what the operator named; null: the newest proven one before the current.
 * @param foreign the record that the target in config will get, if it has none yet; the rollback writes it first.
 * @throws FleetError NOTHING_PROVEN, DEPLOYMENT_UNKNOWN, AMBIGUOUS_REV.
 */
export async function findRollback(
  session: Session,
  znodes: Znodes,
  wanted: NamedDeployment | null,
  quarantined: readonly Quarantined[] = [],
  foreign: Deployment | null = null,
): Promise<Deployment> {
  const recorded = await readHistory(session, znodes, Number.POSITIVE_INFINITY);
  const history = foreign === null ? recorded : [foreign, ...recorded];
  if (wanted !== null) return namedIn(history, wanted);
  const found = lastProven(history, quarantined);
  if (found) return found;
  throw nothingProven(history, quarantined);
}

/** For a commit: its newest proven deployment, or else its newest. */
export function namedIn(history: readonly Deployment[], wanted: NamedDeployment): Deployment {
  if ('number' in wanted) {
    const found = history.find(({ number }) => number === wanted.number);
    if (found) return found;
    throw deploymentUnknown(wanted.number);
  }
  const fits = history.filter(({ target }) => target.commitId.startsWith(wanted.commit));
  const commits = new Set(fits.map(({ target }) => target.commitId));
  const [newest] = fits;
  if (newest && commits.size === 1) return fits.find(({ outcome }) => outcome?.state === 'proven') ?? newest;
  throw commits.size > 1 ? commitAmbiguous(wanted.commit, commits.size) : commitUnknown(wanted.commit);
}

const commitAmbiguous = (commit: string, commits: number): FleetError =>
  FleetError.of('AMBIGUOUS_REV', `${commit} begins ${commits} commits of the history`, 'give more digits, or d-N');

const commitUnknown = (commit: string): FleetError =>
  FleetError.of(
    'DEPLOYMENT_UNKNOWN',
    `no deployment in the history is of a commit ${commit}`,
    `gitfleet history lists them; gitfleet publish ${commit} deploys another commit`,
  );

/** Where `rollback` without a number would go now; null: nowhere, or unknown. Never throws. */
export async function findWayBack(session: Session, znodes: Znodes): Promise<Deployment | null> {
  try {
    const quarantine = await session.get(znodes.quarantine);
    return await findRollback(
      session,
      znodes,
      null,
      quarantinedIn(parseQuarantine(quarantine?.data ?? Buffer.alloc(0))),
    );
  } catch {
    return null;
  }
}

function nothingProven(history: readonly Deployment[], quarantined: readonly Quarantined[]): FleetError {
  const reason = 'no earlier deployment of this app is proven, so there is nothing safe to return to';
  const candidate = candidateIn(history, quarantined);
  if (!candidate) return FleetError.of('NOTHING_PROVEN', reason);
  const { number, target, outcome } = candidate;
  const reached = outcome ? `: ${outcome.state}, ${outcome.reached}/${outcome.expected} agents` : '';
  const back = `gitfleet rollback ${deploymentName(number)}`;
  return FleetError.of(
    'NOTHING_PROVEN',
    reason,
    `the newest one before it is ${target.commitId.slice(0, 10)}${reached}: ${back}`,
  );
}

/** A suggestion if nothing is proven: the newest earlier deployment with another target. */
function candidateIn(history: readonly Deployment[], quarantined: readonly Quarantined[]): Deployment | undefined {
  const [current] = history;
  const refused = new Set<string>(quarantined.map((each) => each.commitId));
  return history.find(
    ({ target }) =>
      current && !isSameTarget(target, current.target) && !refused.has(target.commitId) && isCommitId(target.commitId),
  );
}

export const deploymentUnknown = (number: number): FleetError =>
  FleetError.of('DEPLOYMENT_UNKNOWN', `${deploymentName(number)} is not in the history`);

/**
 * The newest proven deployment before the current one that has another target and is not in quarantine. If the current
 * one is itself a rollback, "before" counts from the deployment that it returned to, so that two rollbacks in a row go
 * back two steps instead of returning to the deployment that was just left.
 * @param history newest first.
 */
export function lastProven(
  history: readonly Deployment[],
  quarantined: readonly Quarantined[] = [],
): Deployment | undefined {
  const [current] = history;
  if (!current) return undefined;
  const from = current.returnsTo ?? current.number;
  return newestProven(
    history,
    quarantined,
    ({ number, target }) => number < from && !isSameTarget(target, current.target),
  );
}
