import { FleetError } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';
import { suggest } from '../../schemas/text/suggest.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';

/** Nothing is known of such an agent; perhaps another name was meant. */
export async function agentUnknown(session: Session, paths: Znodes, agentId: string): Promise<FleetError> {
  const [online, reported] = await Promise.all([session.children(paths.online), session.children(paths.agents)]);
  const meant = suggest(agentId, [...new Set([...(online ?? []), ...(reported ?? [])])].sort());
  return FleetError.of(
    'AGENT_UNKNOWN',
    `${visible(agentId, 100)} was never online here, and no report of it is left`,
    meant ? `did you mean ${visible(meant, 100)}?` : 'gitfleet status shows the agents of this app',
  );
}
