import type { Clock } from '../../runtime/clock.ts';
import type { FleetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { clean } from '../../runtime/safe-text.ts';
import { MAX_OUTPUT_CHARACTERS, type Phase, type Report } from '../../schemas/report.ts';
import type { Action, Rest } from '../plan.ts';
import type { Journal, Reversal } from '../state/journal.ts';
import type { Override } from '../state/override.ts';
import type { Suspension } from '../state/suspension.ts';
import type { Wanted, WantedTarget } from '../state/wanted.ts';
import { StepFailure } from '../steps/failure.ts';
import type { Reporter } from './reporter.ts';

/** Turns what the loop does into reports, and into one log line per stage. */
export interface StatusReporter {
  begin(wanted: WantedTarget): void;
  /** What follows the failure of a step or of health begins; it may take as long as its steps. */
  reverting(failed: Reversal): void;
  done(wanted: WantedTarget, step: Action, ms: number): void;
  failed(wanted: WantedTarget, step: Action, failure: FleetError, attempts: number): void;
  working(wanted: Wanted, step: Action, journal: Journal): void;
  rest(wanted: Wanted, because: Rest, journal: Journal): void;
  /** What the last inspection of the active release found; none: it is its commit. */
  drift(names: readonly string[]): void;
}

const PHASE: Record<Action, Phase> = {
  fetch: 'fetching',
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

export function createStatusReporter(parts: {
  reporter: Reporter;
  clock: Clock;
  log: Logger;
  agentId: string;
  agentVersion: string;
}): StatusReporter {
  let last = { key: '', since: parts.clock.now(), drift: '' };
  let drift: readonly string[] = [];

  function report(wanted: Wanted, journal: Journal, phase: Phase, rest: Rest | null): Report {
    const target = wanted.kind === 'target' ? wanted.target : null;
    const path = target?.relativePath ?? journal.progress?.relativePath ?? null;
    const failure = rest?.kind === 'failed' ? rest.failure : null;
    const targetVersion = wanted.kind === 'nothing' ? null : wanted.targetVersion;
    const waitingFor = rest?.kind === 'waiting' || rest?.kind === 'awaiting' ? clean(rest.waitingFor, 300) : null;
    const output = rest?.kind === 'failed' && rest.output ? rest.output.slice(-MAX_OUTPUT_CHARACTERS) : null;
    const attempts = journal.progress?.attempts;
    const key = [targetVersion, target?.commitId, phase, failure?.code, waitingFor, attempts].join(' ');
    // Files that drift do not change since when it stands so.
    last = { key, since: key === last.key ? last.since : parts.clock.now(), drift: drift.join(' ') };
    return {
      agentId: parts.agentId,
      targetVersion,
      deployment: target?.gitfleet?.deployment ?? null,
      phase,
      activeCommit: activeCommit(journal, path),
      desiredCommit: target?.commitId ?? null,
      relativePath: path,
      error: failure && { ...failure, reason: failure.reason.slice(0, 1_000) },
      waitingFor,
      output,
      suspended: rest?.kind === 'suspended' ? suspendedBy(rest.suspension) : null,
      override: wanted.kind !== 'nothing' && wanted.override ? overrideOf(wanted.override) : null,
      drift: drift.slice(0, 20).map((name) => clean(name, 200)),
      attempts: target ? (journal.progress?.attempts ?? 0) : 0,
      phaseAt: last.since,
      at: parts.clock.now(),
      agentVersion: parts.agentVersion,
    };
  }

  return {
    begin(wanted) {
      parts.log.info({ ...about(wanted), url: wanted.target.url }, 'new target');
    },
    reverting({ commitId, back, step, code }) {
      parts.log.warn(
        { commitId, back, step, code },
        back ? 'going back' : 'clearing up, there is nothing to go back to',
      );
    },
    done(wanted, step, ms) {
      parts.log.info({ ...about(wanted), step, ms: Math.round(ms) }, `${step} done`);
    },
    failed(wanted, step, failure, attempts) {
      const { code, hint, next } = failure;
      const fields = {
        ...about(wanted),
        step,
        code,
        hint,
        next,
        attempts,
        reason: failure.message,
        ...output(failure),
      };
      parts.log[next === 'retry' || next === 'wait' ? 'warn' : 'error'](fields, `${step} failed`);
    },
    drift(names) {
      drift = names;
    },
    working(wanted, step, journal) {
      if (step === 'swap' || step === 'check') drift = []; // What was seen before says nothing about what comes.
      parts.reporter.say(report(wanted, journal, PHASE[step], null), 'working');
    },
    rest(wanted, because, journal) {
      const before = last;
      const said = report(wanted, journal, AT_REST[because.kind], because);
      if (last.key === before.key && last.drift === before.drift) return; // A tick that found everything as it was: nothing new to say.
      parts.reporter.say(said, 'rest');
      if (because.kind === 'settled') {
        parts.log.info(
          { deployment: said.deployment, targetVersion: said.targetVersion, commitId: said.activeCommit },
          'settled',
        );
      } else if (because.kind === 'suspended') {
        const { by, reason } = because.suspension;
        parts.log.warn({ by, reason, commitId: said.activeCommit }, 'suspended by a person on this server');
      } else if (because.kind === 'waiting' || because.kind === 'awaiting') {
        parts.log.info({ waitingFor: because.waitingFor }, `waiting for ${because.waitingFor}`);
      } else if (wanted.kind === 'refused') {
        const { code, reason, hint } = because.failure;
        parts.log.error(
          { targetVersion: wanted.targetVersion, code, reason, hint },
          'target refused, what runs is kept',
        );
      }
    },
  };
}

const activeCommit = (journal: Journal, path: string | null): string | null =>
  (path === null ? undefined : journal.links[path]) ?? null;

const overrideOf = ({ by, reason, at }: Override) => ({ by: clean(by, 100), reason: clean(reason, 300), at });

const suspendedBy = ({ by, reason, at }: Suspension) => ({ by: clean(by, 100), reason: clean(reason, 300), at });

/** The tail of what the step printed, so that the log alone tells the story. */
const output = (failure: FleetError) =>
  failure instanceof StepFailure && failure.output !== ''
    ? { output: failure.output.slice(-MAX_OUTPUT_CHARACTERS) }
    : {};

const about = ({ target, targetVersion }: WantedTarget) => ({
  deployment: target.gitfleet?.deployment ?? null,
  targetVersion,
  commitId: target.commitId,
  relativePath: target.relativePath,
});
