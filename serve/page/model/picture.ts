import type { ActRecord, HistoryRecord } from '../../api/parts.ts';
import type { AgentColumns, AgentRow, Delta, Snapshot } from '../../api/shapes.ts';

/**
 * What the page knows of its app: the last snapshot with all deltas since. A pure fold; a picture is never changed, so
 * two of them can be compared.
 */

export interface PagePicture extends Omit<Snapshot, 'agents' | 'now' | 'asOf' | 'clock' | 'zookeeper'> {
  readonly agents: ReadonlyMap<string, AgentRow>;
  /** The newest first, as are the acts. */
  readonly history: HistoryRecord[];
  readonly acts: ActRecord[];
}

/** Of deployments and of acts, each. Bounds what a page that is open for months holds. */
const MAX_RECORDS = 200;

export function pictureOf({ agents, history, acts, ...rest }: Snapshot): PagePicture {
  return {
    ...rest,
    agents: new Map(rowsOf(agents).map((row) => [row.agentId, row])),
    history: newest(history),
    acts: newest(acts),
  };
}

export function withDelta(picture: PagePicture, delta: Delta): PagePicture {
  return {
    ...picture,
    ...(delta.changed as Partial<PagePicture> as PagePicture), // JSON has no undefined members.
    agents: delta.agents === null && delta.gone.length === 0 ? picture.agents : withRows(picture.agents, delta),
    history: newest(delta.history, picture.history),
    acts: newest(delta.acts, picture.acts),
  };
}

function withRows(agents: PagePicture['agents'], delta: Delta): PagePicture['agents'] {
  const next = new Map(agents);
  for (const agentId of delta.gone) next.delete(agentId);
  for (const row of delta.agents === null ? [] : rowsOf(delta.agents)) next.set(row.agentId, row);
  return next;
}

function rowsOf(columns: AgentColumns): AgentRow[] {
  const names = Object.keys(columns) as (keyof AgentRow)[];
  return columns.agentId.map(
    (_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])) as unknown as AgentRow,
  );
}

/** The newer of two records of one number stays. */
function newest<T extends { readonly number: number }>(more: readonly T[], before: T[] = []): T[] {
  if (more.length === 0) return before;
  const all = new Map([...before, ...more].map((each) => [each.number, each]));
  return [...all.values()].sort((a, b) => b.number - a.number).slice(0, MAX_RECORDS);
}
