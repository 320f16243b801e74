import type { Failure } from '../runtime/errors.ts';
import type { CommitId } from '../schemas/values.ts';
import type { Clearance } from './coordination/clearance.ts';
import type { Journal, Progress } from './state/journal.ts';
import type { Suspension } from './state/suspension.ts';
import type { Wanted } from './state/wanted.ts';

/** What is on the disk now, as far as the wanted target needs it. */
export interface Observed {
  /** What the link shows (null: there is none), or why there cannot be a link. */
  readonly place: { readonly shown: CommitId | null } | { readonly failure: Failure };
  /** The kept release of the commit: `unchecked` until it is compared with the commit for this target. */
  readonly kept: 'absent' | 'unchecked' | 'checked';
  /** The commit that the spare was proved to be. */
  readonly spare: CommitId | null;
  /** Whether the store has the commit. */
  readonly stored: boolean;
  /** Whether the commit itself is what agent.verify requires, as far as that is known (door/vouch.ts). */
  readonly vouched: boolean;
  /** Whether the kept release needs no further preparation. */
  readonly prepared: boolean;
  /** Whether the commit came from a bundle, and this agent has to ask the origin for it before it shows it. */
  readonly unseen: boolean;
}

/** For a wanted target that needs no look at the disk. */
export const NOTHING_OBSERVED: Observed = {
  place: { shown: null },
  kept: 'absent',
  spare: null,
  stored: false,
  vouched: true,
  prepared: true,
  unseen: false,
};

/**
 * One action, and the actions that follow it if it succeeds, without another look: a look would choose the same. Each
 * action changes the disk or the journal. After the last one the agent looks again.
 */
export type Decision =
  | { readonly do: 'rest'; readonly because: Rest }
  | { readonly do: Action; readonly next?: readonly Action[] };
export type Action =
  | 'fetch'
  | 'vouch'
  | 'write'
  | 'keep'
  | 'check'
  | 'prepare'
  | 'swap'
  | 'activate'
  | 'health'
  | 'settle';

export type Rest =
  | { readonly kind: 'settled' }
  | { readonly kind: 'waiting'; readonly waitingFor: string }
  /**
   * Everything is ready. What is missing is the clearance to activate, or (`floor`) the service cannot spare this
   * server.
   */
  | { readonly kind: 'awaiting'; readonly waitingFor: string; readonly floor?: true }
  | { readonly kind: 'suspended'; readonly suspension: Suspension }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      readonly retryInMs: number | null;
      /** The end of the output of the step that failed. */
      readonly output?: string;
    };

/** What has happened to the wanted target so far. */
export interface Past {
  readonly progress: Progress | null;
  /** Set if the release failed here at this targetVersion; it is not tried again. */
  readonly gaveUp: Journal['gaveUp'];
  /** The time until the next try of a failed action; 0: now; null: it is not repeated automatically. */
  readonly retryInMs: number | null;
}

/**
 * The next action towards the wanted target. Pure, so every row of its table is a test. Read top down: what cannot be
 * wanted, what is done, what failed and waits, and then the way from the origin to the link, nearest end first.
 * @param clearance whether this agent may activate it.
 */
export function plan(wanted: Wanted, observed: Observed, past: Past, clearance: Clearance): Decision {
  const { progress, gaveUp, retryInMs } = past;
  if (wanted.kind === 'nothing') return rest({ kind: 'waiting', waitingFor: wanted.why });
  if (wanted.kind === 'refused') return rest({ kind: 'failed', failure: wanted.failure, retryInMs: null });
  if (gaveUp) return restGivenUp(gaveUp);
  if ('failure' in observed.place) return rest({ kind: 'failed', failure: observed.place.failure, retryInMs: null });

  const { commitId } = wanted.target;
  const failed = progress?.lastFailure ?? null;
  if (observed.place.shown === commitId && progress?.activation === 'done') return rest({ kind: 'settled' });
  if (failed && retryInMs !== 0) return rest({ kind: 'failed', failure: failed, retryInMs });
  const shown = observed.place.shown === commitId;
  if (shown && progress?.activation === 'activated') return { do: 'health' };
  if (shown && progress?.activation !== 'none') return { do: 'activate' };
  if (!shown && clearance.kind === 'never') return rest({ kind: 'waiting', waitingFor: clearance.waitingFor });

  const isHere = observed.kept !== 'absent' || observed.spare === commitId || observed.stored;
  if (isHere && !observed.vouched) return observed.stored ? { do: 'vouch' } : { do: 'fetch', next: ['vouch'] };
  if (observed.kept === 'checked') {
    if (shown) return { do: 'settle' };
    if (observed.unseen) return { do: 'fetch' };
    if (!observed.prepared) return { do: 'prepare' };
    return clearance.kind === 'go'
      ? { do: 'swap', next: ['activate'] }
      : rest({ kind: 'awaiting', waitingFor: clearance.waitingFor });
  }
  if (observed.kept === 'unchecked') return observed.stored ? { do: 'check' } : { do: 'fetch', next: ['check'] };
  if (observed.spare === commitId) return { do: 'keep' };
  if (observed.stored) return { do: 'write', next: ['keep'] };
  return { do: 'fetch', next: observed.vouched ? ['write', 'keep'] : ['vouch', 'write', 'keep'] };
}

const rest = (because: Rest): Decision => ({ do: 'rest', because });

function restGivenUp({ failure, output }: NonNullable<Journal['gaveUp']>): Decision {
  const failed = { kind: 'failed', failure, retryInMs: null } as const;
  return rest(output === '' ? failed : { ...failed, output });
}
