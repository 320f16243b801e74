import { type AgentColumns, type AgentRow, agentRow } from '../api/shapes.ts';

/** Agents by member instead of by agent: names once, and equal values side by side, which compress well. */
export function columnsOf(rows: readonly AgentRow[]): AgentColumns {
  const names = Object.keys(agentRow.shape) as (keyof AgentRow)[];
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])])) as unknown as AgentColumns;
}

/** The rows again. */
export function rowsOf(columns: AgentColumns): AgentRow[] {
  const members = Object.entries(columns) as [keyof AgentRow, readonly unknown[]][];
  return columns.agentId.map(
    (_, at) => Object.fromEntries(members.map(([name, values]) => [name, values[at]])) as unknown as AgentRow,
  );
}
