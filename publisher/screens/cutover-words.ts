import type { AgentView } from '../../fleet/fleet-view.ts';
import { visible } from '../../runtime/safe-text.ts';
import { type SwapSpread, spreadOf } from '../../schemas/records/cutover.ts';
import type { Verdict } from '../verdict.ts';
import { line, type Screen } from './columns.ts';
import { count, names } from './words.ts';

/** `5 agents swapped within 84 ms, clocks to 4 ms; later: web-3 by 2.1 s`. */
export function spreadWords({ spreadMs, errorMs, waited, delayed, unmeasured }: SwapSpread): string {
  const within =
    spreadMs === null ? [] : [`${count(waited, 'agent')} swapped within ${spreadMs} ms, clocks to ${errorMs} ms`];
  const later = delayed.map(({ agentId, delayMs }) => `${visible(agentId, 100)} by ${(delayMs / 1_000).toFixed(1)} s`);
  return [
    ...within,
    ...(later.length === 0 ? [] : [`later: ${names(later)}`]),
    ...(unmeasured.length === 0 ? [] : [`by another clock: ${names(unmeasured)}`]),
  ].join('; ');
}

/** The same for a deployment that is followed. */
export const followedSpread = ({ agents }: Verdict, targetVersion: string): SwapSpread | null =>
  presentSpread(
    agents.map(({ view }) => view),
    targetVersion,
  );

interface Seen {
  readonly fleet: readonly AgentView[];
  readonly state: { readonly config: { readonly targetVersion: string } };
}

export function cutoverLines({ fleet, state }: Seen, screen: Screen): string[] {
  const spread = presentSpread(fleet, state.config.targetVersion);
  return spread ? [line(screen, `  ${spreadWords(spread)}`)] : [];
}

/** By what the agents report now about this target. Null: none of them swapped at an instant. */
export function presentSpread(fleet: readonly AgentView[], targetVersion: string): SwapSpread | null {
  const swaps = fleet.map(({ agentId, report }) => {
    const swapped = report?.targetVersion === targetVersion ? report.swapped : null;
    return { agentId, swapped };
  });
  return spreadOf(swaps);
}
