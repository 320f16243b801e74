import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { childPath } from '../zookeeper/paths.ts';
import { ANY_VERSION, type CallOptions, type Session } from '../zookeeper/session.ts';

/*
 * Lists whose children are numbered: `deployments/d-<n>`, `outcomes/d-<n>`, `audit/a-<n>`. The newest are kept, the
 * oldest removed by who may delete there: the coordinator, or the operator.
 */

/** Records kept under `deployments`, and under `audit` (docs/design.md, section 3). */
export const KEPT = 200;

/** Removes at one go no more than this; what is left goes the next time. */
const MAX_REMOVED = 100;

/** The numbers of what there is, newest first; other names are passed over. */
export async function numbersIn(
  session: Session,
  parent: string,
  prefix: 'd' | 'a',
  options?: CallOptions,
): Promise<number[]> {
  const name = new RegExp(`^${prefix}-([1-9]\\d{0,14})$`);
  return ((await session.children(parent, options)) ?? [])
    .map((child) => Number(name.exec(child)?.[1]))
    .filter((n) => Number.isSafeInteger(n))
    .sort((a, b) => b - a);
}

export const deploymentNumbers = (session: Session, znodes: Znodes): Promise<number[]> =>
  numbersIn(session, znodes.deployments, 'd');

/**
 * Removes the deployments beyond the newest ones, with their outcomes.
 * @param newest higher numbers were given to nothing yet, and are left as they are.
 */
export async function removeOldRecords(session: Session, znodes: Znodes, newest: number): Promise<void> {
  const numbers = (await deploymentNumbers(session, znodes)).filter((n) => n <= newest);
  const oldest = numbers.at(KEPT - 1) ?? 0;
  const outcomes = (await numbersIn(session, znodes.outcomes, 'd')).filter((n) => n < oldest);
  await removeOldest(session, znodes.deployments, 'd', numbers.slice(KEPT));
  await removeOldest(session, znodes.outcomes, 'd', outcomes);
}

export async function removeOldAudit(session: Session, znodes: Znodes): Promise<void> {
  await removeOldest(session, znodes.audit, 'a', (await numbersIn(session, znodes.audit, 'a')).slice(KEPT));
}

/** The oldest first, so that what stays has no gap; gone already is fine, and what has children stays. */
async function removeOldest(
  session: Session,
  parent: string,
  prefix: 'd' | 'a',
  numbers: readonly number[],
): Promise<void> {
  const remove = (number: number) =>
    session.remove(childPath(parent, `${prefix}-${number}`), ANY_VERSION).catch((error: unknown) => {
      if (!isCode(error, 'NO_NODE', 'NOT_EMPTY')) throw error;
    });
  const [first, ...rest] = numbers.slice(-MAX_REMOVED).reverse();
  if (first === undefined) return;
  // A publisher may not: one refusal is enough to know.
  await remove(first);
  await Promise.all(rest.map(remove));
}
