import { quarantinedIn } from '../fleet/admission.ts';
import { newestProven, readHistory } from '../fleet/history.ts';
import { FleetError } from '../runtime/errors.ts';
import { type Deployment, deploymentName } from '../schemas/deployment.ts';
import { parseQuarantine, type Quarantined } from '../schemas/hold.ts';
import { isSameTarget } from '../schemas/target.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';

/**
 * Which deployment `rollback` returns to.
 * @param wanted a number the operator named, else the newest proven one before the current.
 * @throws FleetError NOTHING_PROVEN, DEPLOYMENT_UNKNOWN.
 */
export async function findRollback(
  session: Session,
  znodes: Znodes,
  wanted: number | null,
  quarantined: readonly Quarantined[] = [],
): Promise<Deployment> {
  const history = await readHistory(session, znodes, Number.POSITIVE_INFINITY);
  const found = wanted === null ? lastProven(history, quarantined) : history.find((record) => record.number === wanted);
  if (found) return found;
  throw wanted === null ? nothingProven() : deploymentUnknown(wanted);
}

/** Where `rollback` without a number would go now; null: nowhere, or it cannot be found out. Never throws. */
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

const nothingProven = (): FleetError =>
  FleetError.of('NOTHING_PROVEN', 'no earlier deployment of this app is proven, so there is nothing safe to return to');

export const deploymentUnknown = (number: number): FleetError =>
  FleetError.of('DEPLOYMENT_UNKNOWN', `${deploymentName(number)} is not in the history`);

/**
 * The newest proven deployment before the current one that shows something else and is not in quarantine. Where the
 * current one is itself a rollback, "before" counts from the deployment it returned to, so that two rollbacks in a row
 * go two steps back instead of returning to what was just left.
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
