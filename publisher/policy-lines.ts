import type { AgentView } from '../fleet/fleet-view.ts';
import { wavesOf } from '../fleet/waves.ts';
import { visible } from '../runtime/visible.ts';
import type { Policy } from '../schemas/policy.ts';
import { names } from './words.ts';

/** The waves that these agents would go in now: those that are online and that nobody took out. */
export function wavesNow(policy: Policy, fleet: readonly AgentView[]): string[][] {
  const takePart = fleet.filter(
    (view) => view.presence && view.report?.phase !== 'suspended' && !view.report?.suspended,
  );
  return wavesOf(
    policy,
    takePart.map(({ agentId, presence }) => ({ agentId, labels: presence?.labels ?? {} })),
  );
}

/** One line for each wave, the first ones and the last where there are many. */
export function waveLines(policy: Policy, waves: readonly string[][]): string[] {
  if (waves.length === 0) return ['  no agent is online'];
  const hasCanary = policy.canary !== undefined;
  const lines = waves.map((wave, at) => {
    const name = hasCanary && at === 0 ? 'canary' : `wave ${at}`;
    return `  ${name}: ${wave.length === 1 ? '' : `${wave.length} agents: `}${names(wave, 8)}`;
  });
  const left = lines.length - MOST_LINES;
  return left <= 0 ? lines : [...lines.slice(0, MOST_LINES - 1), `  ... and ${left} more`, lines.at(-1) ?? ''];
}

const MOST_LINES = 12;

/** The policy as its file would say it. */
export function policyLines(policy: Policy): string[] {
  return Object.entries(policy).map(([member, value]) => `${member}: ${visible(String(value), 500)}`);
}
