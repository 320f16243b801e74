import { MAX_MISSING, type Outcome } from '../schemas/deployment.ts';
import { type Policy, policy as policySchema } from '../schemas/policy.ts';
import { spreadOf } from '../schemas/records/cutover.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { type AgentState, failureOf, judgeAgent, type RolloutAgent } from './agent-state.ts';
import type { Observed } from './observed.ts';

/** All known agents with their states, and how to count them. */
export interface Summary {
  readonly agents: readonly RolloutAgent[];
  of(...standings: AgentState[]): readonly RolloutAgent[];
  /** The total that shares refer to: without agents that a person took out, or that are gone for good. */
  readonly all: number;
}

export function summarize(picture: Observed, rollout: Rollout, policy: Policy): Summary {
  const agents = picture.agents
    .map((seen) => judgeAgent(seen, rollout, policy, picture))
    .toSorted((a, b) => (a.agentId < b.agentId ? -1 : 1));
  const of = (...standings: AgentState[]) => agents.filter((each) => standings.includes(each.standing));
  return { agents, of, all: agents.length - of('out', 'forgotten').length };
}

/** For rollouts without a policy, in which no agent is late. */
export const NO_DEADLINE = policySchema().parse({ deadline: '24d' });

/** The outcome that history keeps. */
export function outcomeOf(picture: Observed, rollout: Rollout, state: Outcome['state'], why: string): Outcome {
  const tally = summarize(picture, rollout, rollout.policy ?? NO_DEADLINE);
  const missing = tally.agents.filter(({ standing }) => standing !== 'done' && standing !== 'forgotten');
  return {
    state,
    at: picture.now,
    reached: tally.of('done').length,
    expected: tally.all,
    missing: missing
      .slice(0, MAX_MISSING)
      .map((each) => ({ agentId: each.agentId, code: failureOf(each, rollout).code })),
    by: 'coordinator',
    ...spreadIn(tally, rollout),
    ...(why === '' ? {} : { reason: why }),
  };
}

/** How close together the agents swapped, by their own reports about this target. */
function spreadIn({ agents }: Summary, { targetVersion }: Rollout): Pick<Outcome, 'cutover'> {
  const ofThis = agents.map(({ agentId, seen: { report } }) => ({
    agentId,
    swapped: report?.targetVersion === targetVersion ? report.swapped : null,
  }));
  const cutover = spreadOf(ofThis);
  return cutover ? { cutover } : {};
}

/** For the record: every id, so that a person can excuse them all, and the reasons of the first ones. */
export function failuresIn(rollout: Rollout, failed: readonly RolloutAgent[]): Rollout['failures'] {
  const all = failed.map((each) => failureOf(each, rollout));
  return all.map((each, at) => (at < MAX_MISSING ? each : { ...each, reason: '' }));
}

/** `web-1, web-2 and 3 more`. */
export function namesOf(agents: readonly { readonly agentId: string }[]): string {
  const names = agents.slice(0, 5).map((each) => each.agentId);
  return agents.length > 5 ? `${names.join(', ')} and ${agents.length - 5} more` : names.join(', ');
}

/** `3 agents show it`. */
export const showWords = (agents: number): string => (agents === 1 ? '1 agent shows it' : `${agents} agents show it`);
