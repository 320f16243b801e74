import type { AgentView } from '../fleet/fleet-view.ts';
import { FleetError } from '../runtime/errors.ts';
import { matches, parseSelector } from '../schemas/selector.ts';

/**
 * Which agents `-l` chooses. Labels come with the presence, so an agent that is offline is chosen by no selector but the
 * absent one. @throws FleetError SELECTOR
 */
export function selectedBy(text: unknown): (view: AgentView) => boolean {
  if (text === undefined) return () => true;
  const parsed = parseSelector(String(text));
  if (!parsed.ok) throw new FleetError(parsed.failure);
  return ({ presence }) => presence !== null && matches(parsed.selector, presence.labels);
}
