import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Phase, Report } from '../schemas/report.ts';
import type { Doing } from './apply.ts';
import type { Journal } from './journal.ts';
import type { Rest, Wanted } from './plan.ts';
import type { Reporter } from './reporter.ts';

/** Turns what the loop does into reports and one log line per change. */
export interface StandingReporter {
  working(wanted: Wanted, step: Doing, journal: Journal): void;
  rest(wanted: Wanted, because: Rest, journal: Journal): void;
}

const PHASE: Record<Doing, Phase> = {
  fetch: 'fetching',
  write: 'writing',
  check: 'verifying',
  keep: 'verifying',
  swap: 'swapping',
  activate: 'activating',
  settle: 'activating',
};

export function createStanding(parts: {
  reporter: Reporter;
  clock: Clock;
  log: Logger;
  agentId: string;
  agentVersion: string;
}): StandingReporter {
  let last: { key: string; since: number } = { key: '', since: parts.clock.now() };

  function report(wanted: Wanted, journal: Journal, phase: Phase, rest: Rest | null): Report {
    const target = wanted.kind === 'target' ? wanted.target : null;
    const path = target?.relativePath ?? journal.progress?.relativePath ?? null;
    const failure = rest?.kind === 'failed' ? rest.failure : null;
    const targetVersion = wanted.kind === 'nothing' ? null : wanted.targetVersion;
    const waitingFor = rest?.kind === 'waiting' ? rest.waitingFor : null;
    const key = [targetVersion, phase, failure?.code, waitingFor, journal.progress?.attempts].join(' ');
    if (key !== last.key) last = { key, since: parts.clock.now() };
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
      attempts: target ? (journal.progress?.attempts ?? 0) : 0,
      since: last.since,
      at: parts.clock.now(),
      agentVersion: parts.agentVersion,
    };
  }

  return {
    working(wanted, step, journal) {
      parts.reporter.say(report(wanted, journal, PHASE[step], null), false);
    },
    rest(wanted, because, journal) {
      const before = last.key;
      const phase = because.kind === 'settled' ? 'active' : because.kind === 'waiting' ? 'waiting' : 'failed';
      const said = report(wanted, journal, phase, because);
      if (last.key === before) return; // A tick that found everything as it was: nothing new to say.
      const retrying = because.kind === 'failed' && because.failure.next === 'retry';
      parts.reporter.say(said, !retrying);
      if (because.kind === 'settled') {
        parts.log.info(
          { deployment: said.deployment, targetVersion: said.targetVersion, commitId: said.activeCommit },
          'settled',
        );
      } else if (because.kind === 'waiting') {
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
