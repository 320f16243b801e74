import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { HistoryRecord } from '../api/parts.ts';
import { STANDINGS } from '../api/shapes.ts';
import type { State } from '../picture/state.ts';

/** In seconds: from one small site to a rollout in waves over a day. */
const LEAD_TIMES = [1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];
const STATES = ['running', 'paused', 'halted', 'proven', 'failed', 'aborted', 'rolled-back', 'unknown'] as const;

interface FleetMetrics {
  /** After each change of the state. */
  changed(state: State): void;
  /** What became of a message to a sink. */
  told(sink: string, result: 'told' | 'failed' | 'given-up'): void;
}

/**
 * The metrics of the whole fleet from one scrape: what is wanted, what each commit is shown by, where the rollout is,
 * and how deployments ended. The number of series grows with commits that are shown and phases, not with agents.
 * Counters begin at 0 with each start of the server: they count what ended since then.
 */
export function createFleetMetrics(registry: Registry): FleetMetrics {
  const gauge = gaugesIn(registry);
  const desired = gauge('desired_commit_info', 'Always 1; what the target asks for', ['commit', 'deployment']);
  const active = gauge('active_agents', 'Agents whose link shows this commit', ['commit']);
  const standings = gauge('agents', 'Agents, by where they are with the target', ['standing']);
  const online = gauge('online_agents', 'Agents whose presence is there');
  const phases = gauge('phase_agents', 'Agents that are online, by the phase of their report', ['phase']);
  const expected = gauge('expected_agents', 'Agents that are online and not suspended');
  const reached = gauge('reached_agents', 'Those of them that show the target');
  const leader = gauge('leader_info', 'Always 1; the agent that leads rollouts', ['agent']);
  const hasLeader = gauge('has_leader', '1 while an agent leads rollouts');
  const rollout = gauge('rollout_state', '1 for the state of the rollout of the target', ['state']);
  const wave = gauge('rollout_wave', 'The wave of the rollout, counted from 0');
  const hold = gauge('hold', '1 while publishing is on hold');
  const quarantined = gauge('quarantined_commits', 'Commits in quarantine');
  const registers = [registry];
  const outcomes = new Counter({
    name: 'gitfleet_fleet_outcomes_total',
    help: 'Deployments that ended since this server started',
    labelNames: ['state'],
    registers,
  });
  const leadTime = new Histogram({
    name: 'gitfleet_fleet_lead_time_seconds',
    help: 'From the publish of a deployment until it was proven',
    buckets: LEAD_TIMES,
    registers,
  });
  const sent = new Counter({
    name: 'gitfleet_told_total',
    help: 'Messages to sinks',
    labelNames: ['sink', 'result'],
    registers,
  });
  for (const state of ['proven', 'failed', 'rolled-back']) outcomes.inc({ state }, 0);
  let ended: ReadonlyMap<number, string> | null = null;

  function count(history: readonly HistoryRecord[]): void {
    const before = ended;
    ended = new Map(history.flatMap(({ number, outcome }) => (outcome ? [[number, outcome.state] as const] : [])));
    if (before === null) return;
    const newest = Math.max(0, ...before.keys());
    for (const { number, at, outcome } of history) {
      // A record that was pushed out of the newest 200 and came back is none that ended now.
      if (!outcome || before.get(number) === outcome.state || number + history.length < newest) continue;
      outcomes.inc({ state: outcome.state });
      if (outcome.state === 'proven') leadTime.observe(Math.max(0, outcome.at - at) / 1_000);
    }
  }

  return {
    told: (sink, result) => sent.inc({ sink, result }),
    changed(state) {
      const rows = [...state.agents.values()];
      const { target, deployment } = state;
      desired.reset();
      if (target) desired.set({ commit: target.commitId, deployment: deployment?.number ?? 0 }, 1);
      tally(
        active,
        'commit',
        rows.map(({ activeCommit }) => activeCommit ?? 'none'),
      );
      const present = rows.filter(({ onlineSince }) => onlineSince !== null);
      tally(
        phases,
        'phase',
        present.map(({ phase }) => phase ?? 'none'),
      );
      for (const standing of STANDINGS) standings.set({ standing }, state.counts[standing]);
      online.set(present.length);
      expected.set(state.expected);
      reached.set(state.reached);
      leader.reset();
      if (state.coordinator !== null) leader.set({ agent: state.coordinator }, 1);
      hasLeader.set(state.coordinator === null ? 0 : 1);
      for (const each of STATES) rollout.set({ state: each }, state.rollout?.state === each ? 1 : 0);
      wave.set(state.rollout?.wave ?? 0);
      hold.set(state.hold === null ? 0 : 1);
      quarantined.set(state.quarantine.length);
      count(state.history);
    },
  };
}

function tally(into: Gauge, label: string, values: readonly string[]): void {
  into.reset();
  for (const value of values) into.inc({ [label]: value });
}

const gaugesIn =
  (registry: Registry) =>
  (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name: `gitfleet_fleet_${name}`, help, labelNames, registers: [registry] });
