import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { confirmWanted } from '../agent/confirm.ts';
import { followDesired } from '../agent/desired.ts';
import { createFetchLease } from '../agent/fetch-lease.ts';
import type { Journal } from '../agent/journal.ts';
import type { Orders } from '../agent/leave.ts';
import { followOrders, readPolicy } from '../agent/orders.ts';
import { ownCredential } from '../agent/own-credential.ts';
import type { WantedTarget } from '../agent/plan.ts';
import { createReporter } from '../agent/reporter.ts';
import { startCoordinator } from '../rollout/coordinator.ts';
import { systemChance as chance, systemClock as clock } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import { clean, type Logger } from '../runtime/log.ts';
import type { Shutdown } from '../runtime/shutdown.ts';
import { toJson } from '../schemas/lenient-json.ts';
import { parsePresence, presence } from '../schemas/report.ts';
import type { AgentSettings, Settings } from '../schemas/settings.ts';
import type { Target } from '../schemas/target.ts';
import { znodes } from '../schemas/znodes.ts';
import { openSession } from '../zookeeper/open-session.ts';
import { joinMembership, type Membership } from '../zookeeper/recipes/membership.ts';
import { coordinatorAccess } from './coordinator-access.ts';
import type { LocalAgent } from './local-agent.ts';
import { version } from './program.ts';
import { sessionAccess } from './session-access.ts';

/** The other half of an agent: its session, its presence, its report, and the target it follows. */
export async function joinFleet(
  settings: Settings,
  agent: AgentSettings,
  local: LocalAgent,
  log: Logger,
  shutdown: Shutdown,
  /** The settings as they are now. */
  live: () => AgentSettings = () => agent,
) {
  const paths = znodes(settings.app);
  const mine = await sessionAccess(settings);
  const { access, session: who } = mine;
  const coordinating = await coordinatorAccess(settings, mine);
  const own = await ownCredential(local.places.state, agent.id);
  const { connect } = settings.zookeeper;
  const auth = [...(who.auth ?? []), own, ...coordinating.auth];
  const session = openSession({ connect, ...who, auth, clock, chance, log });
  shutdown.add('ZooKeeper session', () => session.close());

  const { instanceId, machineId } = local.ground;
  const card = {
    ...{ agentId: agent.id, instanceId, machineId, pid: process.pid, host: hostname() },
    ...{ labels: agent.labels, agentVersion: version, since: clock.now() },
    problem: null as string | null,
  };
  const membership = joinMembership(session, {
    ...{ path: paths.presence(agent.id), instanceId, machineId, clock, chance, log },
    data: () => toJson(presence, card),
    acl: access.of('presence', own.id),
  });
  shutdown.add('presence', () => membership.leave());
  const reporter = createReporter({
    ...{ session, path: paths.report(agent.id), acl: access.of('report', own.id), clock, log },
    mayWrite: membership.held,
    // Where the report cannot say it, the presence does.
    onProblem: (words) => {
      if (card.problem === words) return;
      card.problem = words;
      membership.refresh().catch((error: unknown) => log.warn({ err: classify(error) }, 'presence not refreshed'));
    },
  });
  shutdown.add('reports', () => reporter.idle());
  membership.onChange(() => {
    if (membership.held()) reporter.repeat();
  });
  if (coordinating.stands) {
    const parts = { session, znodes: paths, access, agentId: agent.id, newNonce: randomUUID, clock, chance, log };
    const coordinator = startCoordinator(parts);
    shutdown.add('coordinator', () => coordinator.leave());
  }

  const policy = () => ({ allow: live().allowUrls });
  const desired = { session, path: paths.config, policy, log, clock, chance };
  const orders = {
    ...{ session, znodes: paths, agentId: agent.id, log, clock, chance },
    get rereadMs() {
      return live().reread;
    },
  };
  const leases = () => (live().fetchLeases === 'off' ? null : Number(live().fetchLeases));
  let again = new AbortController();
  return {
    reporter,
    membership,
    /** Anew at each change of the settings, by which the same target may be judged otherwise. */
    async *follow(accepted: () => Journal['accepted'], signal: AbortSignal) {
      while (!signal.aborted) {
        again = new AbortController();
        const round = AbortSignal.any([signal, again.signal]);
        yield* followDesired({ ...desired, rereadMs: live().reread, accepted }, round);
      }
    },
    reread: () => again.abort(),
    answers: () => session.exists(paths.config),
    vitals: () => session.vitals(),
    confirm: (wanted: WantedTarget, signal: AbortSignal) => confirmWanted(orders, wanted, signal),
    followOrders: (tell: (told: Orders) => void, signal: AbortSignal) => followOrders(orders, tell, signal),
    policy: (target: Target) => readPolicy(orders, target, { deadlineMs: POLICY_MS }),
    joinedAt: () => membership.fence,
    originTurn: createFetchLease({ session, path: paths.fetch, acl: access.of('fetch'), leases, clock, log }),
    /** Two servers with one name would deploy while only one of them is counted: the later one waits for its turn. */
    blocked: () =>
      membership.standing === 'refused' ? `the name ${agent.id}, which ${holderWords(membership.holder)} holds` : null,
  };
}

/** A turn of the agent waits for this answer, and a person on the server for the turn. */
const POLICY_MS = 2_000;

function holderWords(holder: Membership['holder']): string {
  const card = holder && parsePresence(holder.data);
  return card ? `process ${card.pid} on ${clean(card.host, 100)}` : 'somebody unknown';
}
