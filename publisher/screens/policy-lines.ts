import type { AgentView } from '../../fleet/fleet-view.ts';
import { wavesOf } from '../../fleet/waves.ts';
import { visible } from '../../runtime/safe-text.ts';
import { isTogether, type Policy } from '../../schemas/policy.ts';
import { isSuspended } from '../../schemas/report.ts';
import { waveName } from './wave-words.ts';
import { names, noAgentNext, noAgentWords } from './words.ts';

/** The policy in force, as in its file, and the waves that it would give now. */
export function policyLines(app: string, policy: Policy | null, fleet: readonly AgentView[]): string[] {
  if (policy === null) return [`${app}: no policy: all agents deploy at once`, 'next: gitfleet policy set FILE'];
  // `must` is for programs, and a cutover has no use for maxParallel.
  const said = Object.entries(policy).filter(
    ([member]) => member !== 'must' && !(isTogether(policy) && member === 'maxParallel'),
  );
  const members = said.map(([member, value]) => `${member}: ${visible(String(value), 500)}`);
  const goes = wavesNow(policy, fleet).length > 0;
  const would = goes
    ? 'a deployment would now roll out in these waves'
    : 'no agent would take part in a deployment now';
  return [...members, '', `${app}: ${would}`, ...waveLines(policy, fleet)];
}

/** The waves of these agents now, without offline and suspended ones. */
export function wavesNow(policy: Policy, fleet: readonly AgentView[]): string[][] {
  return wavesOf(
    policy,
    takingPart(fleet).map(({ agentId, presence }) => ({ agentId, labels: presence?.labels ?? {} })),
  );
}

/** One line for each wave; if there are many, only the first ones and the last. If there is none, the reason. */
export function waveLines(policy: Policy, fleet: readonly AgentView[]): string[] {
  const waves = wavesNow(policy, fleet);
  if (takingPart(fleet).length === 0) return [`  ${noAgentWords(fleet)}: ${noAgentNext(fleet)}`];
  if (waves.length === 0) return [`  ${noCanary(policy)}`];
  const lines = waves.map((wave, at) => {
    const name = waveName({ wave: at, policy });
    return `  ${name}: ${wave.length === 1 ? '' : `${wave.length} agents: `}${names(wave, 8)}`;
  });
  const left = lines.length - MAX_LINES;
  return left <= 0 ? lines : [...lines.slice(0, MAX_LINES - 1), `  ... and ${left} more`, lines.at(-1) ?? ''];
}

const MAX_LINES = 12;

const takingPart = (fleet: readonly AgentView[]): AgentView[] =>
  fleet.filter((view) => view.presence && !isSuspended(view.report));

const noCanary = ({ canary }: Policy): string =>
  `canary: no agent that is online is chosen by ${visible(String(canary), 200)}: no agent would activate until one is`;
