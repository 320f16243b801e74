import type { AgentView } from '../fleet/fleet-view.ts';
import { isSuspended } from '../schemas/report.ts';
import { names } from './screens/words.ts';

/** Why no agent takes part, where none does: nobody is online, or persons took all of them out. */
export const noAgentWords = (fleet: readonly AgentView[]): string =>
  takenOut(fleet).length > 0 ? 'every agent that is online is suspended' : 'no agent is online';

/** What ends that. */
export function noAgentNext(fleet: readonly AgentView[]): string {
  const out = takenOut(fleet);
  return out.length > 0
    ? `on the server of ${names(out.map((view) => view.agentId))}, gitfleet agent resume`
    : 'on a server, gitfleet agent run';
}

/** Online, and taken out of every rollout by a person on the server. */
export const takenOut = (fleet: readonly AgentView[]): AgentView[] =>
  fleet.filter((view) => view.presence && isSuspended(view.report));
