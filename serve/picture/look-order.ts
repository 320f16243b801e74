/** When an agent was last read, and when something about it last changed; by the monotonic clock. */
export interface Look {
  /** Null: not yet. */
  readonly readAt: number | null;
  /** Its report, its presence, the target or its wave changed. */
  readonly movedAt: number;
  /** It is online, and not at its end for the current target. */
  readonly busy: boolean;
}

/** A settled agent changes its report rarely: for drift, or when a person suspends it. */
export const SETTLED_MS = 15_000;
const LEAST_MS = 250;
const MOST_MS = 5_000;

/** After this time an agent is read again: soon while it moves, less often the longer it does not. */
export function againAfter({ movedAt, busy }: Look, now: number): number {
  if (!busy) return SETTLED_MS;
  return Math.min(MOST_MS, Math.max(LEAST_MS, (now - movedAt) / 10));
}

/** The agents to read now, the longest overdue first, at most `most`. Those never read come before all others. Pure. */
export function dueOf(looks: ReadonlyMap<string, Look>, now: number, most: number): string[] {
  const due: { readonly id: string; readonly overdue: number }[] = [];
  for (const [id, look] of looks) {
    const overdue = look.readAt === null ? Number.POSITIVE_INFINITY : now - look.readAt - againAfter(look, now);
    if (overdue >= 0) due.push({ id, overdue });
  }
  return due
    .sort((a, b) => (a.overdue === b.overdue ? 0 : b.overdue - a.overdue))
    .slice(0, most)
    .map(({ id }) => id);
}
