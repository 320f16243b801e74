import type { Access } from '../fleet/access.ts';
import type { PublishParts } from '../fleet/publish-transaction.ts';
import { appOutdated } from '../fleet/shared-state.ts';
import { type Backoff, fullJitter } from '../runtime/backoff.ts';
import { type Bell, createBell } from '../runtime/bell.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import { createRetryLoop } from '../runtime/retry-loop.ts';
import { deploymentName } from '../schemas/deployment.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { Term } from '../zookeeper/recipes/candidacy.ts';
import { standForElection } from '../zookeeper/recipes/election.ts';
import { type FollowOptions, followChildren, followNode } from '../zookeeper/recipes/follow-node.ts';
import type { Session } from '../zookeeper/session.ts';
import { act, takeLead } from './act.ts';
import { type Action, changing } from './action.ts';
import { knowAgents } from './agents.ts';
import { clearNames } from './clear-names.ts';
import { isLedBy, type Leadership } from './leadership.ts';
import { type Observation, observe } from './observe.ts';
import { plan } from './plan.ts';
import { createSetBackWatch, lookAfterLosses, noteRollouts, type SetBackWatch } from './set-back.ts';
import { createWatchWindow } from './watch-window.ts';

interface CoordinatorParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
  /** The candidate's name, for the record. */
  readonly agentId: string;
  /** The targetVersion that the agent of this process last accepted, across restarts; null: none, or not known yet. */
  readonly accepted: () => string | null;
  /** A new one is drawn for each deployment that an automatic rollback makes. */
  readonly newNonce: () => string;
  /** What the leader of the app does besides rollouts, until the signal of its term. Never throws. */
  readonly whileLeading?: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface Coordinator {
  /** Whether this coordinator leads now. */
  readonly leading: boolean;
  /** Stops leading and withdraws the candidacy; a current action is completed or refused. Idempotent; never throws. */
  leave(): Promise<void>;
}

/** The longest pause between two looks, and so the cost of a lost watch. */
const SLOW_LOOK_MS = 30_000;
/** The longest time until a failure outside the current wave is seen. */
const MAX_AGE_MS = 10_000;
/**
 * If no rollout runs and there is no policy, a bell announces a new target, and the agent of this process goes first.
 */
const BEHIND_MS = 50;
const AGAIN: Backoff = { firstMs: 100, maxMs: 5_000 };

/**
 * Stands for election and, while elected, leads rollouts: bell -> observe -> plan -> act, until it rests. Then it waits
 * for the bell, or polls the reports while a rollout runs. It keeps nothing that the next leader would need.
 */
export function startCoordinator(parts: CoordinatorParts): Coordinator {
  const { session, znodes, clock, random, log } = parts;
  const data = Buffer.from(JSON.stringify({ agentId: parts.agentId }));
  const candidacy = standForElection(session, { path: znodes.election, data, clock, random, log });
  const setBack = createSetBackWatch(() => session.vitals().incarnation, parts.accepted);
  const stopLooking = lookAfterLosses(session, znodes.config, setBack);
  const bell = createBell(clock);
  const stop = new AbortController();
  const noting = noteRollouts(following(parts, znodes.rollout), setBack, bell.ring, stop.signal);
  let leading: Promise<void> = Promise.resolve();
  candidacy.onChange((term) => {
    if (!term) return;
    const besides = parts.whileLeading?.(term.signal);
    leading = leading
      .then(() => lead(parts, term, setBack, bell))
      .then(() => besides)
      .catch((error) => log.error({ err: classify(error) }, 'leading ended'));
  });
  return {
    get leading() {
      return candidacy.term !== undefined;
    },
    async leave() {
      stopLooking();
      await candidacy.leave();
      await leading;
      stop.abort();
      await noting;
    },
  };
}

/** One term. Ends only with its signal, whatever fails meanwhile. */
async function lead(parts: CoordinatorParts, term: Term, setBack: SetBackWatch, bell: Bell): Promise<void> {
  const { session, znodes, clock, random, log } = parts;
  const leadership: Leadership = { term, agentId: parts.agentId };
  const ringing = ring(parts, bell, term.signal);
  const clearing = clearNames(parts, leadership);
  let offset: number | null = null;
  const now = () => (offset === null ? clock.now() : Math.round(offset + clock.monotonic()));
  const agents = knowAgents(session, znodes, now, MAX_AGE_MS);
  const vigil = createWatchWindow();
  const watched = (at: number) => vigil.look(at, clock.monotonic());
  const executeParts = { ...parts, now };
  const retryLoop = createRetryLoop(parts, (attempt) => fullJitter(AGAIN, attempt, random));
  let told = { why: '', at: 0 };
  for (let conflicts = 0; !term.signal.aborted; ) {
    let ordered: { seen: Observation; order: Action } | null = null;
    try {
      const seen = await observe(session, znodes, agents.read, now, watched, setBack);
      if (term.signal.aborted) break;
      if (offset === null || (seen.picture.rollout && !isLedBy(seen.picture.rollout, leadership))) {
        offset = (await takeLead(executeParts, leadership, seen)) - clock.monotonic();
        agents.forget();
        await sayOutdated(parts);
        continue;
      }
      const order = plan(seen.picture);
      if (order.why !== told.why) {
        tell(log, seen, order);
        told = { why: order.why, at: clock.monotonic() };
      }
      if (order.do !== 'rest') ordered = { seen, order };
      if (!(await act(executeParts, leadership, seen, order)))
        await pause(parts, bell, seen, clock.monotonic() - told.at, term.signal);
      if ('grant' in order) agents.note(order, seen.state.config.targetVersion);
      conflicts = 0;
      retryLoop.wentWell();
    } catch (error) {
      if (term.signal.aborted) break;
      agents.forget();
      if (ordered) await sayImpossible(executeParts, leadership, ordered.seen, ordered.order, error);
      // Another client wrote first: the next look shows what.
      const wait = isCode(error, 'BAD_VERSION', 'NODE_EXISTS')
        ? fullJitter(AGAIN, conflicts++, random)
        : retryLoop.failed(error, { path: znodes.rollout }, 'an order was not carried out, retrying');
      await waitFor(wait, bell, clock, term.signal);
    }
  }
  await ringing;
  await clearing;
}

function following({ session, clock, random, log }: CoordinatorParts, path: string): FollowOptions {
  return { session, path, clock, random, log, failing: 'cannot watch a znode, retrying' };
}

/** Rollouts proceed without a place for outcomes, but a person who rolls back needs them. */
async function sayOutdated({ session, znodes, log }: CoordinatorParts): Promise<void> {
  if (await session.exists(znodes.outcomes)) return;
  const { code, message, hint } = appOutdated(znodes.app, znodes.outcomes);
  log.warn({ code, reason: message, hint }, 'how deployments end is not recorded');
}

/** An action that ZooKeeper will never accept (too large, no right to it) is noted in the record, where people look. */
async function sayImpossible(
  parts: PublishParts & Pick<CoordinatorParts, 'clock'>,
  leadership: Leadership,
  seen: Observation,
  order: Action,
  error: unknown,
): Promise<void> {
  const { rollout, wanted } = seen.picture;
  const { code, next, message } = classify(error);
  if (next !== 'stall' && next !== 'bug') return;
  if (rollout?.state !== 'running' || rollout.targetVersion !== wanted?.targetVersion) return;
  const reason =
    `the coordinator ${leadership.agentId} cannot carry out its order (${order.do}): ${code} ${message}`.slice(0, 500);
  if (rollout.reason === reason) return;
  await act(parts, leadership, seen, changing('note', reason, { ...rollout, reason })).catch(() => {});
}

/** A fault that a person must fix may last; their change rings the bell. */
async function waitFor(ms: number, bell: Bell, clock: Clock, signal: AbortSignal): Promise<void> {
  const least = Math.min(ms, AGAIN.maxMs);
  await clock.sleep(least, signal).catch(() => {});
  if (ms > least) await bell.wait(ms - least, signal);
}

/** Waits for the bell, or until the reports of a running rollout are due. */
async function pause(
  { clock }: CoordinatorParts,
  bell: Bell,
  seen: Observation,
  restedMs: number,
  signal: AbortSignal,
): Promise<void> {
  await bell.wait(pauseOf(seen, restedMs), signal);
  const { policy, rollout } = seen.picture;
  if (policy.value === null && rollout?.state !== 'running') await clock.sleep(BEHIND_MS, signal).catch(() => {});
}

/**
 * Follows what may call for an action besides the rollout, which every candidate follows. Reports are polled instead,
 * so that their number costs no watches.
 */
async function ring(parts: CoordinatorParts, bell: Bell, signal: AbortSignal): Promise<void> {
  const { znodes } = parts;
  const nodes = [znodes.config, znodes.policy, znodes.quarantine];
  const streams = [
    ...nodes.map((path) => followNode(following(parts, path), bell.ring, signal)),
    followChildren(following(parts, znodes.online), bell.ring, signal),
  ];
  const drain = async (stream: AsyncIterable<unknown>) => {
    for await (const _ of stream);
  };
  await Promise.all(streams.map(drain));
}

/**
 * While a rollout runs, its reports are polled: 4 ms per agent, at least every 100 ms and at most every second, and
 * less and less often (down to every 5 s) while nothing happens. At other times the bells are enough.
 */
function pauseOf({ picture }: Observation, restedMs: number): number {
  const { rollout, wanted, agents } = picture;
  if (rollout?.state !== 'running' || rollout.targetVersion !== wanted?.targetVersion) return SLOW_LOOK_MS;
  const reads = rollout.permits ? rollout.members.length : agents.length;
  return Math.max(Math.min(1_000, Math.max(100, 4 * reads)), Math.min(5_000, restedMs / 20));
}

function tell(log: Logger, { picture }: Observation, order: Action): void {
  const { rollout, unknownState } = picture;
  const deployment = rollout ? deploymentName(rollout.deployment) : null;
  // Actions, and what stops everything. A wave that takes its time is the normal course.
  const worth = order.do !== 'rest' || (rollout?.reason ?? '') !== '' || unknownState !== null;
  log[worth ? 'info' : 'debug'](
    { deployment, wave: rollout?.wave ?? null, order: order.do, why: order.why },
    `${order.do}: ${order.why}`,
  );
}
