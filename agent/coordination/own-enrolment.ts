import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { type Identity, identityText, parseEnrolled, parseEnrolment } from '../../schemas/enrolment.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { followNode } from '../../zookeeper/recipes/follow-node.ts';
import type { Session, Snapshot } from '../../zookeeper/session.ts';

/**
 * What the enrolment of the app says about this agent. `unknown`: ZooKeeper has not answered yet. `missing`: enrolment
 * is closed and this agent is not entered, or entered with another identity; the fleet does not count it.
 */
export type OwnEnrolment = 'unknown' | 'open' | 'enrolled' | 'missing';

interface OwnEnrolmentParts {
  readonly session: Session;
  readonly znodes: Pick<Znodes, 'enrolment' | 'enrolled'>;
  readonly agentId: string;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Follows it until `signal`, with two watches on small nodes, whatever the size of the fleet. Logs each change to
 * `enrolled` or `missing` once. An agent that is not enrolled still deploys; the fleet only does not wait for it.
 */
export function followOwnEnrolment(
  parts: OwnEnrolmentParts,
  onChange: () => void,
  signal: AbortSignal,
): { readonly state: OwnEnrolment } {
  const { session, znodes, agentId, identity, clock, random, log } = parts;
  const seen: { closed: boolean | null; entered: boolean | null } = { closed: null, entered: null };
  let state: OwnEnrolment = 'unknown';
  const follow = async (path: string, note: (data: Buffer | null) => void) => {
    const at = { session, path, clock, random, log, failing: 'cannot read the enrolment, retrying' };
    const read = (snapshot: Snapshot) => note(snapshot.exists ? snapshot.data : null);
    for await (const _ of followNode(at, read, signal)) {
      const next = ownEnrolment(seen);
      if (next === state) continue;
      state = next;
      tell(parts, state);
      onChange();
    }
  };
  void follow(znodes.enrolment, (data) => {
    seen.closed = !parseEnrolment(data ?? Buffer.alloc(0)).isOpen;
  });
  void follow(znodes.enrolled(agentId), (data) => {
    const entry = data && parseEnrolled(data);
    seen.entered = entry?.key === identity.key;
  });
  return {
    get state() {
      return state;
    },
  };
}

function ownEnrolment({ closed, entered }: { closed: boolean | null; entered: boolean | null }): OwnEnrolment {
  if (closed === null) return 'unknown';
  if (!closed) return 'open';
  return entered === null ? 'unknown' : entered ? 'enrolled' : 'missing';
}

function tell({ log, agentId, identity }: OwnEnrolmentParts, state: OwnEnrolment): void {
  if (state === 'enrolled') log.info('enrolled: the fleet counts this agent');
  if (state !== 'missing') return;
  const next = `gitfleet enrol ${agentId}=${identityText(identity)}`;
  log.warn({ code: 'NOT_ENROLLED', next }, 'not enrolled: the fleet does not count this agent');
}
