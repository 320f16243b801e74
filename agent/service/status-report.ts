import type { Clock } from '../../runtime/clock.ts';
import { type Failure, FleetError } from '../../runtime/errors.ts';
import { clean } from '../../runtime/safe-text.ts';
import { MAX_OUTPUT_CHARACTERS, type Phase, type Report } from '../../schemas/report.ts';
import type { Reporter } from '../coordination/reporter.ts';
import type { AgentListener } from '../events.ts';
import type { Action, Rest } from '../plan.ts';
import type { Journal } from '../state/journal.ts';
import type { Override } from '../state/override.ts';
import type { Suspension } from '../state/suspension.ts';
import type { Wanted } from '../state/wanted.ts';

const PHASE: Record<Action, Phase> = {
  fetch: 'fetching',
  vouch: 'verifying',
  write: 'writing',
  check: 'verifying',
  keep: 'verifying',
  prepare: 'preparing',
  swap: 'swapping',
  activate: 'activating',
  health: 'checking',
  settle: 'activating',
};

const AT_REST: Record<Rest['kind'], Phase> = {
  settled: 'active',
  waiting: 'waiting',
  awaiting: 'awaiting',
  suspended: 'suspended',
  failed: 'failed',
};

interface StatusReportParts {
  readonly reporter: Pick<Reporter, 'say'>;
  readonly clock: Clock;
  readonly agentId: string;
  readonly agentVersion: string;
}

/** Turns what the loop does into this agent's report. A rest that equals the one before is not reported again. */
export function reportStatus(parts: StatusReportParts): AgentListener {
  let last = { key: '', since: parts.clock.now(), drift: '' };
  let drift: readonly string[] = [];
  let brought: { readonly targetVersion: string; readonly said: Report['objects'] } | null = null;

  function report(wanted: Wanted, journal: Journal, phase: Phase, rest: Rest | null): Report {
    const target = wanted.kind === 'target' ? wanted.target : null;
    const path = target?.relativePath ?? journal.progress?.relativePath ?? null;
    const failure = failureOf(rest);
    const targetVersion = wanted.kind === 'nothing' ? null : wanted.targetVersion;
    const waitingFor = rest?.kind === 'waiting' || rest?.kind === 'awaiting' ? clean(rest.waitingFor, 300) : null;
    const output = rest?.kind === 'failed' && rest.output ? rest.output.slice(-MAX_OUTPUT_CHARACTERS) : null;
    const attempts = journal.progress?.attempts;
    const key = [targetVersion, target?.commitId, phase, failure?.code, waitingFor, attempts].join(' ');
    // Drift is not part of the key: it does not change since when the agent is in this state.
    last = { key, since: key === last.key ? last.since : parts.clock.now(), drift: drift.join(' ') };
    return {
      agentId: parts.agentId,
      targetVersion,
      deployment: target?.gitfleet?.deployment ?? null,
      phase,
      activeCommit: activeCommit(journal, path),
      desiredCommit: target?.commitId ?? null,
      relativePath: path,
      signer: target?.envelope ? clean(target.envelope.signer, 200) : null,
      error: failure && { ...failure, reason: failure.reason.slice(0, 1_000) },
      waitingFor,
      output,
      suspended: rest?.kind === 'suspended' ? suspendedBy(rest.suspension) : null,
      override: wanted.kind !== 'nothing' && wanted.override ? overrideOf(wanted.override) : null,
      drift: drift.slice(0, 20).map((name) => clean(name, 200)),
      retries: rest?.kind === 'failed' && rest.retryInMs !== null,
      objects: brought?.targetVersion === targetVersion ? (brought?.said ?? null) : null,
      swapped: progressAt(journal, targetVersion)?.swapped ?? null,
      unacknowledged: progressAt(journal, targetVersion)?.unacknowledged ?? [],
      left: false,
      // Set when the report is written: the loop does not know its presence.
      presenceAt: null,
      attempts: target ? (journal.progress?.attempts ?? 0) : 0,
      phaseAt: last.since,
      at: parts.clock.now(),
      agentVersion: parts.agentVersion,
    };
  }

  return {
    drift({ names }) {
      drift = names;
    },
    brought({ wanted, from, passedOver }) {
      brought = { targetVersion: wanted.targetVersion, said: { from, passedOver } };
    },
    working({ wanted, action, journal }) {
      if (action === 'swap' || action === 'check') drift = []; // The earlier drift says nothing about the next release.
      parts.reporter.say(report(wanted, journal, PHASE[action], null), 'working');
    },
    rest({ wanted, because, journal }) {
      const before = last;
      const next = report(wanted, journal, AT_REST[because.kind], because);
      if (last.key !== before.key || last.drift !== before.drift) parts.reporter.say(next, 'rest');
    },
  };
}

/** The floor is not a failure, but its code is reported: people who wait for this agent must see why. */
function failureOf(rest: Rest | null): Failure | null {
  if (rest?.kind === 'failed') return rest.failure;
  return rest?.kind === 'awaiting' && rest.floor ? FleetError.of('FLOOR', rest.waitingFor).toFailure() : null;
}

/** What is known about this target, and not about the one before. */
const progressAt = ({ progress }: Journal, targetVersion: string | null) =>
  progress?.targetVersion === targetVersion ? progress : null;

const activeCommit = (journal: Journal, path: string | null): string | null =>
  (path === null ? undefined : journal.links[path]) ?? null;

const overrideOf = ({ by, reason, at }: Override) => ({ by: clean(by, 100), reason: clean(reason, 300), at });

const suspendedBy = ({ by, reason, at }: Suspension) => ({ by: clean(by, 100), reason: clean(reason, 300), at });
