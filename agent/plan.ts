import type { Failure } from '../runtime/errors.ts';
import type { Target } from '../schemas/target.ts';
import type { CommitId, TargetVersion } from '../schemas/values.ts';
import type { Progress } from './journal.ts';
import type { Override } from './override.ts';

/** What the shared state asks of this agent, after judging. */
export type Wanted =
  | { readonly kind: 'nothing'; readonly why: string }
  | {
      readonly kind: 'refused';
      readonly targetVersion: TargetVersion;
      readonly failure: Failure;
      readonly override?: Override;
    }
  | {
      readonly kind: 'target';
      readonly targetVersion: TargetVersion;
      readonly target: Target;
      /** Set where a person on this server chose another commit than the fleet's. */
      readonly override?: Override;
    };

/** What is on the disk right now, as far as it matters for the wanted target. */
export interface Observed {
  /** What the link shows (null: there is none), or why there cannot be a link. */
  readonly place: { readonly shown: CommitId | null } | { readonly failure: Failure };
  /** A kept release of the commit: `unchecked` until it was compared with the commit for this target. */
  readonly kept: 'absent' | 'unchecked' | 'checked';
  /** The commit that the spare was proved to be. */
  readonly spare: CommitId | null;
  /** Whether the store has the commit. */
  readonly stored: boolean;
}

/** Where nothing is wanted there is nothing to look at. */
export const NOTHING_OBSERVED: Observed = { place: { shown: null }, kept: 'absent', spare: null, stored: false };

/** One step. Each but `rest` changes the disk or the journal; after it the agent looks again. */
export type Step =
  | { readonly do: 'rest'; readonly because: Rest }
  | { readonly do: 'fetch' | 'write' | 'keep' | 'check' | 'swap' | 'activate' | 'settle' };

export type Rest =
  | { readonly kind: 'settled' }
  | { readonly kind: 'waiting'; readonly waitingFor: string }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly retryInMs: number | null };

/**
 * The next step towards the wanted target; pure, so every row of its table is a test. Read top down: what cannot be
 * wanted, what is done, what failed and waits, and then the way from the origin to the link, nearest end first.
 * @param retryInMs how long a failed try still has to wait, 0 when its time has come, null: not by itself.
 */
export function plan(wanted: Wanted, observed: Observed, progress: Progress | null, retryInMs: number | null): Step {
  if (wanted.kind === 'nothing') return rest({ kind: 'waiting', waitingFor: wanted.why });
  if (wanted.kind === 'refused') return rest({ kind: 'failed', failure: wanted.failure, retryInMs: null });
  if ('failure' in observed.place) return rest({ kind: 'failed', failure: observed.place.failure, retryInMs: null });

  const { commitId } = wanted.target;
  const failed = progress?.lastFailure ?? null;
  if (observed.place.shown === commitId && progress?.activation === 'done') return rest({ kind: 'settled' });
  if (failed && retryInMs !== 0) return rest({ kind: 'failed', failure: failed, retryInMs });
  const shown = observed.place.shown === commitId;
  if (shown && progress?.activation !== 'none') return { do: 'activate' };

  if (observed.kept === 'checked') return { do: shown ? 'settle' : 'swap' };
  if (observed.kept === 'unchecked') return { do: observed.stored ? 'check' : 'fetch' };
  if (observed.spare === commitId) return { do: 'keep' };
  if (observed.stored) return { do: 'write' };
  return { do: 'fetch' };
}

const rest = (because: Rest): Step => ({ do: 'rest', because });
