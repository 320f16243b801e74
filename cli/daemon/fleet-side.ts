import { createBundles } from '../../agent/coordination/bundles.ts';
import { isCanaryOf, NOTHING_VIEWED, type RolloutView } from '../../agent/coordination/clearance.ts';
import { createFetchLease } from '../../agent/coordination/fetch-lease.ts';
import { followOwnEnrolment } from '../../agent/coordination/own-enrolment.ts';
import { recheckAndWait } from '../../agent/coordination/recheck.ts';
import { createReporter } from '../../agent/coordination/reporter.ts';
import { followRollout } from '../../agent/coordination/rollout-feed.ts';
import { keepSecondName } from '../../agent/coordination/second-name.ts';
import { followTarget } from '../../agent/coordination/target-feed.ts';
import { type Door, dependsOnServer } from '../../agent/door/door.ts';
import { adoptPlainFlags } from '../../agent/service/adopt-plain-flags.ts';
import type { Journal } from '../../agent/state/journal.ts';
import type { OwnCredential } from '../../agent/state/own-credential.ts';
import type { WantedTarget } from '../../agent/state/wanted.ts';
import type { Access } from '../../fleet/access.ts';
import { presenceSubject, reportSubject } from '../../fleet/enrolment/trust.ts';
import { keepFlags } from '../../fleet/flags/keep-flags.ts';
import { markLeft } from '../../fleet/leave.ts';
import { startCoordinator } from '../../rollout/coordinator.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';
import { identityText } from '../../schemas/enrolment.ts';
import type { CutoverStanding } from '../../schemas/records/cutover.ts';
import {
  MAX_PREFIXES,
  MAX_SAID_RULES,
  type Presence,
  parsePresence,
  presence,
  report,
  secondName,
} from '../../schemas/report.ts';
import type { BranchRule } from '../../schemas/settings/branch-rules.ts';
import type { AgentSettings } from '../../schemas/settings/settings.ts';
import { toJson } from '../../schemas/text/lenient-json.ts';
import { isSignedBy } from '../../schemas/text/signed-json.ts';
import { znodes } from '../../schemas/znodes.ts';
import { joinMembership, type Membership } from '../../zookeeper/recipes/membership.ts';
import type { NodeData, Session } from '../../zookeeper/session.ts';

interface FleetSideParts {
  readonly session: Session;
  readonly access: Access;
  readonly app: string;
  /** The agent's identity, as its presence shows it. */
  readonly card: Omit<
    Presence,
    'startedAt' | 'problem' | 'allowUrls' | 'audience' | 'reachableFrom' | 'signedCommits' | 'identity' | 'cutover'
  >;
  /** The credential that alone may write its presence and its report, and the key that signs both. */
  readonly own: Pick<OwnCredential, 'id' | 'key' | 'identity'>;
  /** Whether it is a candidate to lead rollouts. */
  readonly stands: boolean;
  /** The settings as they are now. */
  readonly live: () => AgentSettings;
  /** Judges every target and every base that this agent is told. */
  readonly door: Door;
  /** The file in which programs on this server read the app's flags; null: this process does not handle flags. */
  readonly flagsFile: string | null;
  readonly newNonce: () => string;
  /** 32 hexadecimal digits that no other client can guess. */
  readonly newSecret: () => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly shutdown: Pick<Shutdown, 'add'>;
}

/** An agent with this label, whatever its value, leaves the fleet at each orderly stop. */
const EPHEMERAL = 'ephemeral';
const LEAVING_MS = 3_000;

/**
 * Everything of an agent that uses its session: presence, report, the target and the rollout that it follows, its turn
 * at the origin, and the coordinator if it is a candidate. `shutdown` closes what is opened here.
 */
export function fleetSide(parts: FleetSideParts) {
  const { session, access, own, live, clock, random, log, shutdown } = parts;
  const { agentId, instanceId, machineId } = parts.card;
  const paths = znodes(parts.app);
  const identity = identityText(own.identity);
  const card = { ...parts.card, startedAt: clock.now(), identity, problem: null as string | null };
  const said = () => {
    const { allowUrls, verify } = live();
    const audience = verify.target === 'required' ? (verify.audience ?? null) : null;
    return toJson(presence(), {
      ...card,
      allowUrls: saidPrefixes(allowUrls),
      audience,
      reachableFrom: saidRules(verify.reachableFrom),
      signedCommits: verify.commit === 'required',
      cutover: cutoverStanding(live()),
    });
  };
  const subject = (sessionId: bigint) => presenceSubject(agentId, sessionId);
  const isFalse = ({ data, stat }: NodeData) =>
    enrolment.state === 'enrolled' && !isSignedBy(own.identity.key, subject(stat.ephemeralOwner), data);
  const join = (name: string) =>
    joinMembership(session, {
      ...{ path: paths.presence(name), instanceId, machineId, clock, random, log, isFalse },
      data: (sessionId) => own.key.sign(subject(sessionId), said()),
      acl: access.of('presence', own.id),
    });
  const membership = join(agentId);
  shutdown.add('presence', () => membership.leave());
  const stop = new AbortController();
  const enrolling = { session, znodes: paths, agentId, identity: own.identity, clock, random, log };
  const enrolment = followOwnEnrolment(enrolling, () => membership.lookAgain(), stop.signal);
  shutdown.add('enrolment', () => stop.abort());
  const reporter = createReporter({
    ...{ session, path: paths.report(agentId), acl: access.of('report', own.id), clock, log },
    encode: (next) => {
      const said = { ...next, presenceAt: second.name };
      return own.key.sign(reportSubject(agentId), toJson(report(), said));
    },
    // A false node in our place is not another process with our name, so this one may report.
    mayWrite: () => membership.held() || membership.state === 'contested',
    // If the report cannot show the problem, the presence does.
    onProblem: (words) => {
      if (card.problem === words) return;
      card.problem = words;
      refresh();
    },
  });
  const refresh = () => {
    membership.refresh().catch((error: unknown) => log.warn({ err: classify(error) }, 'presence not refreshed'));
  };
  shutdown.add('reports', async () => {
    await reporter.idle();
    // A server that comes and goes with the load says so, and the fleet does not wait for it. Others catch up when they
    // come back.
    if (live().labels[EPHEMERAL] === undefined || !membership.held()) return;
    await markLeft(session, paths, agentId, own.key, { deadlineMs: LEAVING_MS });
  });
  membership.onChange(() => {
    if (membership.held()) reporter.repeat();
  });
  const second = keepSecondName({
    membership,
    join,
    newName: () => secondName(agentId, parts.newSecret()),
    onChange: () => {
      if (membership.state === 'contested') reporter.repeat();
    },
  });
  shutdown.add('second presence', () => second.leave());
  let accepted: () => Journal['accepted'] = () => null;
  const flags = parts.flagsFile === null ? null : followFlags(parts, parts.flagsFile);
  if (parts.stands) {
    const { newNonce } = parts;
    const whileLeading = flags === null ? {} : { whileLeading: flags.adopt };
    const mechanics = { clock, random, log };
    const coordinator = startCoordinator({
      session,
      znodes: paths,
      access,
      agentId,
      accepted: () => accepted()?.targetVersion ?? null,
      newNonce,
      ...whileLeading,
      ...mechanics,
    });
    shutdown.add('coordinator', () => coordinator.leave());
  }

  const { door } = parts;
  const desired = { session, znodes: paths, door, log, clock, random };
  const orders = {
    ...{ session, znodes: paths, agentId, door, log, clock, random },
    get resyncMs() {
      return live().resyncInterval;
    },
  };
  const leases = () => (live().fetchLeases === 'off' ? null : Number(live().fetchLeases));
  let again = new AbortController();
  let view = NOTHING_VIEWED;
  let cancelLook = () => {};
  const isCanary = (wanted: WantedTarget) => isCanaryOf(view, agentId, wanted);
  shutdown.add('the next look at the signers', () => cancelLook());
  const judgeAgain = () => {
    const before = again;
    again = new AbortController();
    before.abort();
  };
  return {
    reporter,
    membership,
    enrolment,
    /** Restarted at each change of the settings, which may judge the same target differently. */
    async *follow(ofAgent: () => Journal['accepted'], signal: AbortSignal) {
      accepted = ofAgent;
      while (!signal.aborted) {
        const round = AbortSignal.any([signal, again.signal]);
        const { resyncInterval: resyncMs } = live();
        for await (const heard of followTarget({ ...desired, resyncMs, accepted }, round)) {
          cancelLook();
          const { wanted } = heard;
          // A list of signers changes without a bell.
          if (wanted.kind === 'refused' && dependsOnServer(wanted.failure))
            cancelLook = clock.after(resyncMs, judgeAgain);
          yield heard;
        }
      }
    },
    resync: () => {
      judgeAgain();
      refresh(); // What this agent accepts may have changed.
    },
    answers: () => session.exists(paths.config),
    vitals: () => session.vitals(),
    flags: () => flags?.kept() ?? null,
    recheck: (wanted: WantedTarget, signal: AbortSignal) =>
      recheckAndWait({ ...orders, view: () => view }, wanted, signal),
    /** Restarted then too: the rollout's base is judged like the target. */
    async followRollout(tell: (told: RolloutView) => void, signal: AbortSignal) {
      const hear = (told: RolloutView) => {
        view = told;
        tell(told);
      };
      while (!signal.aborted) await followRollout(orders, hear, AbortSignal.any([signal, again.signal]));
    },
    joinedAt: () => membership.fence ?? second.fence,
    isCanary,
    originTurn: createFetchLease({
      ...{ session, path: paths.fetch, online: paths.online, acl: access.of('lease') },
      ...{ leases, clock, random, log },
    }),
    bundles: createBundles({
      session,
      path: paths.bundle,
      agentId,
      objects: () => live().objects,
      isCanary,
      log,
    }),
    /** Two servers with one name would deploy while only one of them is counted: the later one waits. */
    blocked: () =>
      membership.state === 'refused' ? `the name ${agentId}, which ${holderWords(membership.holder)} holds` : null,
  };
}

/** Keeps the app's flags on this server for as long as the agent runs. */
function followFlags({ session, app, access, clock, random, log, shutdown }: FleetSideParts, file: string) {
  const paths = znodes(app);
  const { kept, follow } = keepFlags({ session, path: paths.flags, file, writes: true, clock, random, log });
  const stop = new AbortController();
  const following = follow(stop.signal);
  shutdown.add('flags', async () => {
    stop.abort();
    await following;
  });
  const adopting = { session, znodes: paths, access, clock, random, log };
  return { kept, adopt: (signal: AbortSignal) => adoptPlainFlags(adopting, () => kept().flags, signal) };
}

/** Only an agent that just swaps links can take part: leaving a service, or a restart, takes a time of its own. */
const cutoverStanding = ({ services, restart }: AgentSettings): CutoverStanding =>
  services.length > 0 ? 'services' : restart.length > 0 ? 'restarts' : 'able';

const saidRules = (rules: readonly BranchRule[]): Presence['reachableFrom'] =>
  rules.length === 0 || rules.length > MAX_SAID_RULES ? null : rules.map(({ url, refs }) => ({ url, refs: [...refs] }));

/** If there are more than a publisher should have to read, none are named. */
const saidPrefixes = (prefixes: readonly string[]): string[] | null =>
  prefixes.length <= MAX_PREFIXES ? [...prefixes] : null;

function holderWords(holder: Membership['holder']): string {
  const card = holder && parsePresence(holder.data);
  return card ? `process ${card.pid} on ${clean(card.host, 100)}` : 'an unknown process';
}
