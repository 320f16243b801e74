import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../../runtime/clock.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { Session, SessionState } from '../../zookeeper/session.ts';
import type { AgentListener } from '../events.ts';
import type { Journal } from '../state/journal.ts';
import type { Wanted } from '../state/wanted.ts';

interface Metrics {
  readonly listener: AgentListener;
  readonly contentType: string;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
}

interface MetricsParts {
  readonly app: string;
  readonly version: string;
  readonly vitals: () => ReturnType<Session['vitals']>;
  readonly clock: Clock;
}

/** In seconds: from a quick look at a link to a first deployment over a slow line. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];
const STATES: readonly SessionState[] = ['connecting', 'connected', 'suspended', 'lost', 'closed'];

/**
 * What one agent exports to Prometheus: what is desired and what is shown, how long the stages take and how they fail,
 * and the state of the ZooKeeper session. It listens to the loop's events, so no deployment waits for it.
 * docs/metrics.md lists names and labels; dashboards may rely on them.
 */
export function createMetrics(parts: MetricsParts): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ app: parts.app });
  const registers = [registry];
  const named = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) => ({
    name: `gitfleet_${name}`,
    help,
    labelNames: [...labelNames],
    registers,
  });

  const build = new Gauge(named('build_info', 'Always 1; the version is a label', ['version']));
  build.set({ version: parts.version }, 1);
  const desired = new Gauge(
    named('desired_commit_info', 'Always 1; what the target asks for', ['commit', 'deployment', 'path']),
  );
  const active = new Gauge(named('active_commit_info', 'Always 1; what the link shows', ['commit', 'path']));
  const settled = new Gauge(named('settled', '1 while the agent shows what is desired and nothing is left to do', []));
  const waiting = new Gauge(named('waiting', '1 while the agent waits for something that is not its own', []));
  const failing = new Gauge(named('failing', '1 while the target could not be reached, by the code of why', ['code']));
  const success = new Gauge(
    named('last_success_timestamp_seconds', 'When a deployment last ended well, Unix time', []),
  );
  const drifted = new Gauge(named('drift_files', 'Files of the active release that are not the commit’s', []));
  const undeletable = new Gauge(
    named('undeletable_paths', 'Old releases set aside, which the agent cannot delete', []),
  );
  const drains = new Histogram({
    ...named('drain_duration_seconds', 'From leaving a service until its drain has ended', ['service']),
    buckets: BUCKETS,
  });
  const unacknowledged = new Counter(
    named('drain_unacknowledged_total', 'Consumers that did not acknowledge within a drain', ['service']),
  );
  const missing = new Gauge(
    named('drain_unacknowledged', 'Always 1; who did not acknowledge the newest drain of a service', [
      'service',
      'consumer',
    ]),
  );
  const durations = new Histogram({
    ...named('stage_duration_seconds', 'How long each stage of a deployment took that ended well', ['stage']),
    buckets: BUCKETS,
  });
  const failures = new Counter(named('stage_failures_total', 'Tries of a stage that failed', ['stage', 'code']));
  const brought = new Counter(
    named('fetches_total', 'Fetches that ended well, by where the objects came from', ['from']),
  );
  const passedOver = new Counter(
    named('bundles_passed_over_total', 'Bundles that were not used, by why: the origin was asked', ['why']),
  );
  const targets = new Counter(named('targets_total', 'Targets that this agent began with', []));
  targets.inc(0);
  watchSession(parts, registers);
  const silentIn = new Map<string, readonly string[]>();
  let showing = '';
  let settledOn: string | null = null;

  function show(wanted: Wanted, journal: Journal): void {
    const target = wanted.kind === 'target' ? wanted.target : null;
    const links = Object.entries(journal.links);
    const key = JSON.stringify([target?.commitId, target?.gitfleet?.deployment, target?.relativePath, links]);
    if (key === showing) return;
    showing = key;
    // A commit that is no longer desired must not remain as a series of its own.
    desired.reset();
    active.reset();
    if (target) {
      const deployment = String(target.gitfleet?.deployment ?? '');
      desired.set({ commit: target.commitId, deployment, path: target.relativePath }, 1);
    }
    for (const [path, commit] of links) active.set({ commit, path }, 1);
  }

  return {
    listener: {
      begun: () => targets.inc(),
      working({ wanted, journal }) {
        show(wanted, journal);
        settled.set(0);
        waiting.set(0);
      },
      done: ({ action, ms }) => durations.observe({ stage: action }, ms / 1_000),
      failed: ({ action, failure }) => failures.inc({ stage: action, code: failure.code }),
      brought({ from, passedOver: why }) {
        brought.inc({ from });
        if (why !== null) passedOver.inc({ why });
      },
      drift: ({ names }) => drifted.set(names.length),
      drained({ service, unacknowledged: silent, ms }) {
        drains.observe({ service }, ms / 1_000);
        unacknowledged.inc({ service }, silent.length);
        for (const consumer of silentIn.get(service) ?? []) missing.remove({ service, consumer });
        const named = silent.slice(0, MAX_CONSUMERS).map(({ id }) => clean(id, 100));
        for (const consumer of named) missing.set({ service, consumer }, 1);
        silentIn.set(service, named);
      },
      undeletable: ({ paths }) => undeletable.set(paths.length),
      rest({ wanted, because, journal }) {
        show(wanted, journal);
        const isSettled = because.kind === 'settled' && wanted.kind === 'target';
        settled.set(isSettled ? 1 : 0);
        waiting.set(because.kind === 'waiting' || because.kind === 'awaiting' ? 1 : 0);
        failing.reset();
        if (because.kind === 'failed') failing.set({ code: because.failure.code }, 1);
        const now = isSettled ? wanted.targetVersion : null;
        if (now !== null && now !== settledOn) success.set(parts.clock.now() / 1_000);
        settledOn = now;
      },
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}

/** Ids are names that other programs choose: each is a series, so their number has a bound. */
const MAX_CONSUMERS = 20;

/** Read at each scrape. */
function watchSession({ vitals }: MetricsParts, registers: Registry[]): void {
  const state = new Gauge({
    name: 'gitfleet_zookeeper_session_state',
    help: '1 for the state that the ZooKeeper session is in',
    labelNames: ['state'],
    registers,
    collect() {
      const now = vitals();
      for (const each of STATES) this.set({ state: each }, each === now.state ? 1 : 0);
    },
  });
  state.reset();
  const looked = (name: string, help: string, look: (now: ReturnType<Session['vitals']>) => number | undefined) =>
    new Gauge({
      name: `gitfleet_zookeeper_${name}`,
      help,
      registers,
      collect() {
        this.set(look(vitals()) ?? Number.NaN);
      },
    });
  looked('reconnects', 'Connections after the first one, since the agent started', (now) => now.reconnects);
  looked(
    'session_generation',
    'Counts server sessions: a change means that the last one was lost',
    (now) => now.generation,
  );
  looked('silent_seconds', 'Since a server was heard', (now) =>
    now.silentMs === undefined ? undefined : now.silentMs / 1_000,
  );
  looked('round_trip_seconds', 'Of the last heartbeat', (now) =>
    now.roundTripMs === undefined ? undefined : now.roundTripMs / 1_000,
  );
}
