import type { OwnEnrolment } from '../../agent/coordination/own-enrolment.ts';
import type { AgentListener } from '../../agent/events.ts';
import { answerServices } from '../../agent/service/answer-services.ts';
import { openEndpoint } from '../../agent/service/endpoint.ts';
import { findStuck, type Liveness } from '../../agent/service/liveness.ts';
import { createMetrics } from '../../agent/service/metrics.ts';
import { answerOfrep } from '../../agent/service/ofrep.ts';
import type { KeptFlags } from '../../fleet/flags/keep-flags.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { codes } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { clean } from '../../runtime/safe-text.ts';
import { openTokenFile } from '../../runtime/secrets/token-file.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';
import type { FollowedLists } from '../../services/followed-lists.ts';
import type { Membership } from '../../zookeeper/recipes/membership.ts';
import type { Session } from '../../zookeeper/session.ts';
import { version } from '../version.ts';

export interface EndpointOf {
  readonly listen: { readonly host: string; readonly port: number };
  /** The token that clients must present; absent: none. */
  readonly tokenFile: string | undefined;
  readonly app: string;
  readonly pulse: Pick<Liveness, 'beats' | 'status'>;
  readonly vitals: () => ReturnType<Session['vitals']>;
  /** Whether the fleet sees this agent as online, and what prevents that. */
  readonly presence: () => Pick<Membership, 'state' | 'problem'>;
  /** Why the ZooKeeper servers are not one ensemble. */
  readonly ensemble: () => string | null;
  readonly flags: () => KeptFlags | null;
  readonly lists: FollowedLists;
  readonly enrolment: () => OwnEnrolment;
  readonly log: Logger;
  readonly shutdown: Shutdown;
}

/**
 * Serves /healthz, /metrics, flags and the lists of services until the end of this agent; docs/metrics.md describes
 * them. Returns the listener for the loop's events. @throws FleetError LISTEN if the port is taken: a dashboard without
 * data would mislead.
 */
export async function serveEndpoint(of: EndpointOf): Promise<AgentListener> {
  const { listen, tokenFile, app, pulse, vitals, presence, ensemble, enrolment, flags, lists, log, shutdown } = of;
  const more: Parameters<typeof openEndpoint>[0]['more'] = async (...asked) => {
    const kept = flags();
    if (kept !== null && (await answerOfrep(...asked, kept.flags))) return true;
    return await answerServices(...asked, lists, clock);
  };
  const metrics = createMetrics({ app, version, vitals, clock });
  const health = () => {
    const stuck = findStuck(pulse.beats, clock.monotonic());
    const { state, trouble } = vitals();
    const session = { session: state, sessionTrouble: state === 'connected' ? null : trouble };
    const { state: online, problem } = presence();
    const known = online === 'contested' ? `IMPOSTOR: ${codes().IMPOSTOR.means}` : null;
    const presenceProblem = problem ? `${problem.code}: ${clean(problem.message, 300)}` : known;
    const fleet = { presence: online, presenceProblem, enrolment: enrolment() };
    const kept = flags();
    const flagged = { flags: kept?.state ?? 'none', flagsAsOf: kept?.asOf ?? 0 };
    return {
      alive: stuck === null,
      doing: pulse.status(),
      stuck: stuck?.loop ?? null,
      ...session,
      ensembleTrouble: ensemble(),
      ...fleet,
      ...flagged,
    };
  };
  const token = tokenFile === undefined ? null : await openTokenFile(tokenFile, { clock, log });
  const endpoint = await openEndpoint({ listen, health, metrics, more, token, log }).catch((cause: unknown) => {
    const reason = `${listen.host} port ${listen.port}: ${(cause as Error).message}`;
    throw FleetError.of('LISTEN', reason, undefined, cause);
  });
  shutdown.add('endpoint', () => endpoint.close());
  log.info({ host: listen.host, port: endpoint.port }, 'serving /healthz, /metrics, flags and services');
  return metrics.listener;
}
