import { names } from '../../publisher/screens/words.ts';
import { visible } from '../../runtime/safe-text.ts';
import type { Finding } from '../api/parts.ts';
import type { AgentRow } from '../api/shapes.ts';
import { inWaves } from './rollout.ts';
import type { Seen } from './seen.ts';

const MOST = 30;

/**
 * What `gitfleet doctor` says about the shared state, as far as a reader can see it: no rights are tried and no server is
 * asked. Pure. At most 30, those that stop deployments first.
 */
export function findingsIn(seen: Seen, agents: ReadonlyMap<string, AgentRow>): Finding[] {
  if (seen.config === null) return [fail('app', 'the app is not set up on this ZooKeeper', 'run once: gitfleet init')];
  const all = [...unreadable(seen), ...ofRollout(seen), ...ofAgents(seen, agents), ...ofZnodes(seen)];
  const isFail = ({ verdict }: Finding) => verdict === 'fail';
  return [...all.filter(isFail), ...all.filter((each) => !isFail(each))].slice(0, MOST);
}

/** A brake that cannot be read is on: nothing is published until a person corrects it. */
function unreadable({ config, hold, quarantine, policy, flags, agents: { enrolment } }: Seen): Finding[] {
  const refused = config?.refused;
  const parts = [
    ['hold', hold.unreadable, 'end it: gitfleet unhold'],
    ['quarantine', quarantine.unreadable, 'empty the znode quarantine with the credential of the operator'],
    ['policy', policy.unreadable, 'set it again: gitfleet policy set FILE'],
    ['flags', flags.unreadable, 'write the document again: gitfleet flag rollback'],
    ['enrolment', enrolment.unreadable, 'say it again: gitfleet enrol --close'],
  ] as const;
  return [
    ...(refused
      ? [fail('target', `every agent refuses the target: ${refused.code} ${refused.reason}`, refused.hint)]
      : []),
    ...parts.flatMap(([check, why, hint]) => (why === null ? [] : [fail(check, why, hint)])),
    ...flags.value.unusable
      .slice(0, 5)
      .map(({ name, reason }) =>
        warn('flags', `flag ${visible(name, 100)} cannot be used: ${reason}`, 'gitfleet flag list'),
      ),
  ];
}

/** Agents in waves wait for permits, which only a leader grants. */
function ofRollout(seen: Seen): Finding[] {
  if (seen.coordinator !== null || !seen.config?.target) return [];
  const waits = inWaves(seen)?.state === 'running' || (seen.policy.value !== null && !seen.rollout.rollout);
  const hint = 'start an agent that has coordinator.authFile, or see why: gitfleet doctor on that server';
  return waits ? [fail('coordinator', 'no agent leads rollouts, so no further wave begins', hint)] : [];
}

function ofAgents({ agents: { ignored, unread, notEnrolled } }: Seen, rows: ReadonlyMap<string, AgentRow>): Finding[] {
  const taken = [...rows.values()].filter(({ falsePresence }) => falsePresence).map(({ agentId }) => agentId);
  const troubled = [...rows.values()].filter(({ problem }) => problem !== null);
  return [
    ...taken
      .slice(0, 5)
      .map((id) => fail('presence', `a node that agent ${id} did not make is at its name`, `gitfleet forget ${id}`)),
    ...troubled
      .slice(0, 5)
      .map(({ agentId, problem }) =>
        fail('report', `agent ${agentId} cannot report: ${problem}`, `see its log, and gitfleet status ${agentId}`),
      ),
    ...(notEnrolled.length > 0
      ? [warn('enrolment', `not enrolled: ${names(notEnrolled)}`, 'enter what is yours: gitfleet enrol AGENT=IDENTITY')]
      : []),
    ...(ignored > 0 ? [warn('agents', `${ignored} nodes have names that are no agent's`, 'gitfleet doctor')] : []),
    ...(unread > 0
      ? [warn('agents', `${unread} agents are not read: more than 10,000 are too many`, 'gitfleet doctor')]
      : []),
  ];
}

function ofZnodes({ missing }: Seen): Finding[] {
  if (missing.length === 0) return [];
  return [warn('rights', `missing: ${missing.slice(0, 5).join(', ')}`, 'run again, as the operator: gitfleet init')];
}

const fail = (check: string, says: string, hint: string): Finding => ({
  check,
  verdict: 'fail',
  says: visible(says, 500),
  hint,
});
const warn = (check: string, says: string, hint: string): Finding => ({
  check,
  verdict: 'warn',
  says: visible(says, 500),
  hint,
});
