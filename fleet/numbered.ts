import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { childPath } from '../zookeeper/paths.ts';
import { ANY_VERSION, type CallOptions, type Session } from '../zookeeper/session.ts';

/*
 * Lists with numbered children: `deployments/d-<n>`, `outcomes/d-<n>`, `audit/a-<n>`. The newest are kept. The oldest
 * are removed by clients that may delete there: the coordinator or the operator.
 */

/** The number of records kept in `deployments` and in `audit` (docs/design.md, section 3). */
export const KEPT = 200;

/** The maximum number of removals per call; the next call removes the rest. */
const MAX_REMOVED = 100;

/** The numbers of the existing children, newest first. Other names are ignored. */
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
 * @param newest the highest number in use; nodes with higher numbers are left alone.
 */
export async function removeOldRecords(session: Session, znodes: Znodes, newest: number): Promise<void> {
  const [all, judged] = await Promise.all([
    deploymentNumbers(session, znodes),
    numbersIn(session, znodes.outcomes, 'd'),
  ]);
  const numbers = all.filter((n) => n <= newest);
  const oldest = numbers.at(KEPT - 1) ?? 0;
  const old = numbers.slice(KEPT);
  const records = old.slice(-MAX_REMOVED);
  const later = new Set(old.slice(0, -MAX_REMOVED));
  const outcomes = judged.filter((n) => n < oldest && !later.has(n)).slice(-MAX_REMOVED);
  const both = [
    ...records.map((n) => ({ n, path: znodes.deployment(n) })),
    ...outcomes.map((n) => ({ n, path: znodes.outcome(n) })),
  ];
  // The sort is stable, so a record is removed before its outcome: no record is left without its outcome.
  both.sort((a, b) => a.n - b.n);
  await removeInOrder(
    session,
    both.map(({ path }) => path),
  );
}

export async function removeOldAudit(session: Session, znodes: Znodes): Promise<void> {
  const old = (await numbersIn(session, znodes.audit, 'a')).slice(KEPT).slice(-MAX_REMOVED).reverse();
  await removeInOrder(
    session,
    old.map((n) => childPath(znodes.audit, `a-${n}`)),
  );
}

/** In this order, oldest first, so that no gap arises. Missing nodes are no failure; nodes with children stay. */
async function removeInOrder(session: Session, paths: readonly string[]): Promise<void> {
  const remove = (path: string) =>
    session.remove(path, ANY_VERSION).catch((error: unknown) => {
      if (!isCode(error, 'NO_NODE', 'NOT_EMPTY')) throw error;
    });
  // The first two alone: a publisher may not delete, and one refusal is enough. Usually there are no more, a record and
  // its outcome.
  await Promise.all(paths.slice(0, 2).map(remove));
  await Promise.all(paths.slice(2).map(remove));
}
