import type { Outcome } from '../schemas/deployment.ts';
import type { Rollout } from '../schemas/rollout.ts';

/** What the coordinator does next. Every action except `rest` and `adopt` is one transaction (act.ts). */
export type Action = Rest | Adopt | RolloutChange | RollBack;

/** Nothing to do until something changes or time has passed. */
interface Rest {
  readonly do: 'rest';
  readonly why: string;
}

/** Create the record of a foreign writer's target. */
interface Adopt {
  readonly do: 'adopt';
  readonly why: string;
}

export interface RolloutChange {
  readonly do: 'start' | 'wave' | 'permit' | 'cutover' | 'soak' | 'note' | 'halt' | 'prove' | 'fail' | 'outcome';
  readonly why: string;
  /** The record to write, without the term, which act.ts adds; null: unchanged. */
  readonly rollout: Rollout | null;
  /** How far ahead of its writing the agents of the wave swap, ms; null: the record names no new instant. */
  readonly instantInMs: number | null;
  readonly grant: readonly string[];
  readonly revoke: readonly string[];
  /** How a deployment ended, to be written if it has no outcome yet. */
  readonly outcome: { readonly number: number; readonly outcome: Outcome } | null;
}

/** Publish `base` again, put the failed commit into quarantine, and end the rollout. */
export interface RollBack {
  readonly do: 'roll back';
  readonly why: string;
  readonly rollout: Rollout;
  readonly base: NonNullable<Rollout['base']>;
  /** The commit that goes into quarantine. */
  readonly commitId: string;
  readonly outcome: { readonly number: number; readonly outcome: Outcome };
}

export const rest = (why: string): Rest => ({ do: 'rest', why });

export function changing(
  name: RolloutChange['do'],
  why: string,
  rollout: Rollout | null,
  more: Partial<Pick<RolloutChange, 'instantInMs' | 'grant' | 'revoke' | 'outcome'>> = {},
): RolloutChange {
  return { do: name, why, rollout, instantInMs: null, grant: [], revoke: [], outcome: null, ...more };
}
