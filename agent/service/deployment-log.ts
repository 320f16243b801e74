import type { Logger } from '../../runtime/log.ts';
import { consumerNames } from '../../schemas/records/unacknowledged.ts';
import { MAX_OUTPUT_CHARACTERS } from '../../schemas/report.ts';
import type { AgentEvents, AgentListener } from '../events.ts';
import type { WantedTarget } from '../state/wanted.ts';

/**
 * The story of each deployment in the log: one line per action, and one per new state of rest that no action has
 * logged. A rest that equals the one before is not repeated.
 */
export function logDeployments(log: Logger): AgentListener {
  let said = '';
  let undeletable = '';

  return {
    begun({ wanted }) {
      said = '';
      log.info({ ...about(wanted), url: wanted.target.url }, 'new target');
    },
    working() {
      said = '';
    },
    done({ wanted, action, ms }) {
      log.info({ ...about(wanted), step: action, ms: Math.round(ms) }, `${action} done`);
    },
    brought({ wanted, from, passedOver }) {
      if (passedOver !== null) log.warn({ ...about(wanted), passedOver }, 'the bundle was passed over');
      else if (from === 'bundle') log.info({ ...about(wanted), from }, 'the objects came from the bundle');
    },
    failed({ wanted, action, failure, output, attempts }) {
      const { code, hint, next, message: reason } = failure;
      const said = output === '' ? {} : { output: output.slice(-MAX_OUTPUT_CHARACTERS) };
      const fields = { ...about(wanted), step: action, code, hint, next, attempts, reason, ...said };
      log[next === 'retry' || next === 'wait' ? 'warn' : 'error'](fields, `${action} failed`);
    },
    reverting({ reversal }) {
      const { commitId, back, step, code } = reversal;
      const words = back ? 'going back to the earlier release' : 'no earlier release to go back to, running on-failure';
      log.warn({ commitId, back, step, code }, words);
    },
    drained({ service, acknowledged, unacknowledged, ms }) {
      const facts = { service, acknowledged, ms: Math.round(ms) };
      if (unacknowledged.length === 0) log.info(facts, 'drained');
      else log.warn({ ...facts, unacknowledged: consumerNames(unacknowledged) }, 'drained, not acknowledged by all');
    },
    undeletable({ paths }) {
      const now = paths.join('\n');
      if (now !== undeletable && paths.length > 0) log.warn({ paths: paths.slice(0, 20) }, UNDELETABLE);
      undeletable = now;
    },
    rest(event) {
      const now = restKey(event);
      if (now !== said) logRest(log, event);
      said = now;
    },
  };
}

const UNDELETABLE = 'old releases cannot be deleted by this user and hold room; remove these paths as root';

function restKey({ wanted, because, journal }: AgentEvents['rest']): string {
  const targetVersion = wanted.kind === 'nothing' ? null : wanted.targetVersion;
  const commitId = wanted.kind === 'target' ? wanted.target.commitId : null;
  const why = 'waitingFor' in because ? because.waitingFor : because.kind === 'failed' ? because.failure.code : null;
  return JSON.stringify([targetVersion, commitId, because.kind, why, journal.progress?.attempts]);
}

function logRest(log: Logger, { wanted, because, journal }: AgentEvents['rest']): void {
  const { progress, links } = journal;
  const target = wanted.kind === 'target' ? wanted.target : null;
  const path = target?.relativePath ?? progress?.relativePath;
  const commitId = path === undefined ? null : (links[path] ?? null);
  if (because.kind === 'settled' && wanted.kind === 'target') {
    const { targetVersion } = wanted;
    log.info({ deployment: target?.gitfleet?.deployment ?? null, targetVersion, commitId }, 'settled');
  } else if (because.kind === 'suspended') {
    const { by, reason } = because.suspension;
    log.warn({ by, reason, commitId }, 'suspended by a person on this server');
  } else if (because.kind === 'waiting' || because.kind === 'awaiting') {
    const { waitingFor } = because;
    log.info({ waitingFor }, `waiting for ${waitingFor}`);
  } else if (because.kind === 'failed' && wanted.kind === 'refused') {
    const { code, reason, hint } = because.failure;
    const { targetVersion } = wanted;
    log.error({ targetVersion, code, reason, hint }, 'target refused; what runs keeps running');
  }
}

const about = ({ target, targetVersion }: WantedTarget) => ({
  deployment: target.gitfleet?.deployment ?? null,
  targetVersion,
  commitId: target.commitId,
  relativePath: target.relativePath,
});
