import type { AgentView } from '../../fleet/fleet-view.ts';
import type { Deployment } from '../../schemas/deployment.ts';
import type { NextCommands } from '../current-rollout.ts';
import { shownTargets } from '../shown-target.ts';
import { count, nameAndCommit, short } from './words.ts';

/** After ZooKeeper was set back: the commit that runs, and the command that publishes exactly that. */
export function setBackWords(fleet: readonly AgentView[]): string {
  const [shown, other] = shownTargets(fleet);
  if (!shown) return 'gitfleet publish COMMIT (what should run)';
  if (other && other.agents.length === shown.agents.length) {
    return `gitfleet publish COMMIT: agents show ${short(shown.commitId)} and ${short(other.commitId)}`;
  }
  return `gitfleet publish --again (publishes ${short(shown.commitId)}, which ${count(shown.agents.length, 'agent')} show)`.replace(
    '1 agent show',
    '1 agent shows',
  );
}

/**
 * What to type after a deployment in config has failed, or while it is stopped until a person decides.
 * @param look a command that shows more of the failure; null: there is none.
 */
export function nextCommands(
  ending: 'failed' | 'halted' | 'aborted',
  way: NextCommands,
  look: string | null,
): string[] {
  const { wayBack, isLed } = way;
  const back = wayBack ? [backWords(wayBack)] : [];
  switch (ending) {
    case 'failed':
      return [...(look ? [look] : []), ...back, ...(isLed ? ['gitfleet retry (once the cause is fixed)'] : [])];
    case 'halted':
      return [...back, 'gitfleet resume (continue without these agents)', 'gitfleet retry', 'gitfleet abort'];
    case 'aborted':
      return [...back, 'gitfleet retry'];
  }
}

/** If `wayBack` is itself a rollback, names the deployment that it returned to, as the verb and history do. */
export const backWords = (wayBack: Deployment): string => {
  const number = wayBack.returnsTo ?? wayBack.number;
  return `back to ${nameAndCommit({ ...wayBack, number })}: gitfleet rollback`;
};

export const nextWords = (commands: readonly string[]): string => `next: ${commands.join('; ')}`;
