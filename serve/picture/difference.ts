import { type Delta, stateMembers } from '../api/shapes.ts';
import { columnsOf } from './columns.ts';
import type { State, StateMembers } from './state.ts';

export type StateDifference = Pick<Delta, 'changed' | 'agents' | 'gone' | 'history' | 'acts'>;

const NAMES = Object.keys(stateMembers) as (keyof StateMembers)[];

/** What a viewer of `before` needs to show `after`; null: nothing. Pure. */
export function differenceOf(before: State, after: State): StateDifference | null {
  const changed = Object.fromEntries(
    NAMES.filter((name) => !isSame(before[name], after[name])).map((name) => [name, after[name]]),
  ) as StateDifference['changed'];
  const rows = [...after.agents.values()].filter((row) => !isSame(before.agents.get(row.agentId), row));
  const gone = [...before.agents.keys()].filter((id) => !after.agents.has(id));
  const history = newIn(before.history, after.history);
  const acts = newIn(before.acts, after.acts);
  const isNothing = [Object.keys(changed), rows, gone, history, acts].every(({ length }) => length === 0);
  return isNothing ? null : { changed, agents: rows.length === 0 ? null : columnsOf(rows), gone, history, acts };
}

function newIn<T extends { readonly number: number }>(before: readonly T[], after: readonly T[]): T[] {
  const known = new Map(before.map((record) => [record.number, record]));
  return after.filter((record) => !isSame(known.get(record.number), record));
}

const isSame = (one: unknown, other: unknown): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other);
