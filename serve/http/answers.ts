import type { AgentView } from '../../fleet/fleet-view.ts';
import type { AgentShape, FlagsShape, HistoryShape, ServicesShape } from '../api/answers.ts';
import type { RolloutShape } from '../api/parts.ts';
import type { Alive, Head, StatusShape } from '../api/shapes.ts';
import type { Seen } from '../picture/seen.ts';
import type { State } from '../picture/state.ts';

/** What the paths below /api/v1 answer, from the picture alone: no request reads ZooKeeper. Pure. */

const MAX_MISSED = 20;

export function statusAnswer(state: State, head: Head, freshness: Alive): StatusShape {
  const { agents, history: _history, acts: _acts, ...members } = state;
  return { ...head, ...freshness, ...members, agents: [...agents.values()] };
}

export const historyAnswer = ({ history, acts }: State, freshness: Alive, limit: number): HistoryShape => ({
  ...freshness,
  deployments: history.slice(0, limit),
  acts: acts.slice(0, limit),
});

export const rolloutAnswer = ({ rollout }: State, freshness: Alive): Alive & { rollout: RolloutShape | null } => ({
  ...freshness,
  rollout,
});

/** Null: no such agent is known. */
export function agentAnswer(id: string, state: State, seen: Seen, freshness: Alive): AgentShape | null {
  const agent = state.agents.get(id);
  const view = seen.agents.views.find(({ agentId }) => agentId === id) as AgentView | undefined;
  if (!agent || !view) return null;
  const missed = state.history.flatMap(({ number, outcome }) =>
    (outcome?.missing ?? []).filter(({ agentId }) => agentId === id).map(({ code }) => ({ deployment: number, code })),
  );
  return { ...freshness, agent, presence: view.presence, report: view.report, missed: missed.slice(0, MAX_MISSED) };
}

export function servicesAnswer({ services }: State, seen: Seen, freshness: Alive): ServicesShape {
  const known = new Map(seen.services.map((each) => [each.service, each.known]));
  return {
    ...freshness,
    services: services.map((service) => ({
      ...service,
      known: (known.get(service.service) ?? []).map(({ name, address, twin }) => ({
        name,
        host: address?.host ?? null,
        port: address?.port ?? null,
        agentId: twin?.agentId ?? null,
        commitId: twin?.commit ?? null,
        unwell: twin?.unwell ?? null,
      })),
    })),
  };
}

export function flagsAnswer({ flags: { value } }: Seen, freshness: Alive): FlagsShape {
  const { version, by, reason, at } = value.metadata;
  const flags = Object.fromEntries(value.flags) as FlagsShape['flags'];
  return { ...freshness, flags, unusable: [...value.unusable], version, by, reason, at };
}
