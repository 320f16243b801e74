import { type Published, type PublishParts, publishTarget } from '../fleet/publish-transaction.ts';
import { readSharedState } from '../fleet/shared-state.ts';
import { FleetError, type OwnFailure } from '../runtime/errors.ts';
import { deploymentName } from '../schemas/deployment.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { stateWords } from './steer.ts';
import { currentRollout, NOTHING_PUBLISHED, type SteerParts } from './steer-rollout.ts';

/** What `retry` does: publish the same target again, nothing, or refuse. */
type Retry =
  | { readonly do: 'publish' }
  | { readonly do: 'nothing'; readonly said: string }
  | { readonly do: 'refuse'; readonly failure: OwnFailure };

/** Pure, and total over the states. A new try is a new deployment: agents that failed try again, others are done. */
export function retry(rollout: Rollout): Retry {
  const name = deploymentName(rollout.deployment);
  switch (rollout.state) {
    case 'halted':
    case 'failed':
    case 'aborted':
      return { do: 'publish' };
    case 'proven':
      if (rollout.failures.length > 0) return { do: 'publish' };
      return { do: 'nothing', said: `${name} is proven: nothing is left to try again` };
    case 'running':
      return { do: 'nothing', said: `${name} goes on: nothing is to be tried again yet` };
    case 'paused':
      return { do: 'nothing', said: `${name} is paused; gitfleet resume lets it go on` };
    case 'rolled-back':
      return {
        do: 'refuse',
        failure: {
          code: 'QUARANTINED',
          reason: `${name} ${stateWords(rollout)}, and its commit is in quarantine`,
          hint: 'publish a commit that mends it; or this one all the same: gitfleet publish COMMIT --force -m WHY',
          next: 'stall',
        },
      };
  }
}

/**
 * Publishes what config holds once more, where its rollout ended without all agents or is halted.
 * @throws FleetError as publishTarget, NO_COORDINATOR, QUARANTINED.
 */
export async function retryRollout(
  parts: PublishParts & SteerParts,
  word: { readonly by: string; readonly reason: string },
): Promise<Published | { readonly said: string; readonly rollout: Rollout }> {
  const since = await readSharedState(parts.session, parts.znodes);
  const { rollout } = await currentRollout(parts);
  const judged = retry(rollout);
  if (judged.do === 'refuse') throw new FleetError(judged.failure);
  if (judged.do === 'nothing') return { said: judged.said, rollout };
  const { target, refused } = since.config;
  if (refused) throw FleetError.kept(refused);
  if (!target) throw NOTHING_PUBLISHED();
  const back = since.lastRecord?.via === 'rollback';
  return await publishTarget(parts, since, {
    target,
    by: word.by,
    reason: word.reason === '' ? `${deploymentName(rollout.deployment)} again` : word.reason,
    // What was a way back stays one: no canary, no soak.
    via: back ? 'rollback' : 'publish',
    returnsTo: back ? (since.lastRecord?.returnsTo ?? null) : null,
    ref: target.gitfleet?.ref ?? null,
  });
}
