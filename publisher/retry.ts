import { type Published, type PublishParts, publishTarget } from '../fleet/publish-transaction.ts';
import { readSharedState } from '../fleet/shared-state.ts';
import { FleetError } from '../runtime/errors.ts';
import { deploymentName } from '../schemas/deployment.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { currentRollout, NOTHING_PUBLISHED, type SteerParts } from './current-rollout.ts';
import type { TargetSigner } from './sign-target.ts';

/** What `retry` does: publish the same target again, nothing, or refuse. */
export type RetryDecision = 'publish' | 'nothing' | 'refuse';

/** Pure, and total over the states. A retry is a new deployment: agents that failed try again, the others are done. */
export function retry({ state, failures }: Pick<Rollout, 'state' | 'failures'>): RetryDecision {
  switch (state) {
    case 'halted':
    case 'failed':
    case 'aborted':
      return 'publish';
    case 'proven':
      return failures.length > 0 ? 'publish' : 'nothing';
    case 'running':
    case 'paused':
      return 'nothing';
    case 'rolled-back':
      return 'refuse';
  }
}

/**
 * Publishes the target in config again, if its rollout ended without all agents or is halted.
 * @throws FleetError as publishTarget, NO_COORDINATOR.
 */
export async function retryRollout(
  parts: PublishParts & SteerParts & { readonly signer?: TargetSigner | null },
  word: { readonly by: string; readonly reason: string },
): Promise<Published | { readonly do: 'nothing' | 'refuse'; readonly rollout: Rollout }> {
  const since = await readSharedState(parts.session, parts.znodes);
  const { rollout } = await currentRollout(parts);
  const decision = retry(rollout);
  if (decision !== 'publish') return { do: decision, rollout };
  const { target, refused } = since.config;
  if (refused) throw FleetError.kept(refused);
  if (!target) throw NOTHING_PUBLISHED();
  const back = since.lastRecord?.via === 'rollback';
  // Without a key the target keeps the signature that it has.
  const signed = (await parts.signer?.sign(target, target)) ?? target;
  return await publishTarget(parts, since, {
    target: signed,
    by: word.by,
    reason: word.reason === '' ? `${deploymentName(rollout.deployment)} again` : word.reason,
    // A retried rollback stays a rollback: no canary, no soak.
    via: back ? 'rollback' : 'publish',
    returnsTo: back ? (since.lastRecord?.returnsTo ?? null) : null,
    ref: target.gitfleet?.ref ?? null,
  });
}
