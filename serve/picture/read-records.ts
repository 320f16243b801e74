import { readAudit } from '../../fleet/audit.ts';
import { type Recorded, readRecorded } from '../../fleet/history.ts';
import { deploymentNumbers, KEPT } from '../../fleet/numbered.ts';
import type { AuditRecord } from '../../schemas/records/audit.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import { keepNames, keepZnode, type ReadParts, repeat } from './keep-znode.ts';

/** An outcome may still change: `timed-out` and `failed` give way, and a new deployment has none yet. */
const YOUNG = 5;
const AGAIN_MS = 15_000;
const AT_ONCE = 100;

export interface RecordsReader {
  /** Newest first; null until they were read once. */
  deployments(): readonly Recorded[] | null;
  acts(): readonly AuditRecord[] | null;
  /** The rollout moved: the outcome of the newest may be there. */
  look(): void;
}

/**
 * Keeps the newest 200 deployments with their outcomes, and the newest 200 acts. A record is written once, so it is read
 * once; the outcomes of the newest five are read again at each change and every 15 s.
 */
export function readRecords(parts: ReadParts, znodes: Znodes, changed: () => void, signal: AbortSignal): RecordsReader {
  const { session } = parts;
  let known: ReadonlyMap<number, Recorded> | null = null;
  let acts: readonly AuditRecord[] | null = null;
  let reading: Promise<void> | null = null;
  let again = false;
  let readIn = 0;

  /** One reading at a time; what happens meanwhile leads to one more. */
  function look(): Promise<void> {
    if (reading) again = true;
    reading ??= readAll().finally(() => {
      reading = null;
      if (again && !signal.aborted) {
        again = false;
        void look().catch(() => {});
      }
    });
    return reading;
  }

  async function readAll(): Promise<void> {
    // After a restored backup a number may name another record.
    const { incarnation } = session.vitals();
    const kept = incarnation === readIn ? known : null;
    readIn = incarnation;
    known = await readNewest(session, znodes, kept ?? new Map());
    changed();
  }

  void keepZnode(parts, znodes.deployments, look, signal);
  void keepNames(parts, znodes.outcomes, look, signal);
  void repeat(parts, AGAIN_MS, look, signal);
  void keepNames(
    parts,
    znodes.audit,
    async () => {
      acts = await readAudit(session, znodes);
      changed();
    },
    signal,
  );
  return {
    deployments: () => known && [...known.values()],
    acts: () => acts,
    look: () => void look().catch(() => {}),
  };
}

async function readNewest(
  session: Session,
  znodes: Znodes,
  known: ReadonlyMap<number, Recorded>,
): Promise<ReadonlyMap<number, Recorded>> {
  const [numbers, judged] = await Promise.all([deploymentNumbers(session, znodes), session.children(znodes.outcomes)]);
  const newest = numbers.slice(0, KEPT);
  const withOutcome = new Set(judged ?? []);
  const isOpen = (n: number, at: number) =>
    !known.has(n) || at < YOUNG || (known.get(n)?.record.outcome == null && withOutcome.has(`d-${n}`));
  const wanted = newest.filter(isOpen);
  const read = new Map<number, Recorded | null>();
  for (let from = 0; from < wanted.length; from += AT_ONCE) {
    const batch = wanted.slice(from, from + AT_ONCE);
    const found = await Promise.all(batch.map((n) => readRecorded(session, znodes, n)));
    for (const [at, record] of found.entries()) read.set(batch[at] as number, record);
  }
  return new Map(
    newest.flatMap((n) => {
      const record = read.has(n) ? read.get(n) : known.get(n);
      return record ? [[n, record] as const] : [];
    }),
  );
}
