import { type Bell, createBell } from '../runtime/bell.ts';
import { createMutex, type Mutex } from '../runtime/mutex.ts';
import { createRetryLoop } from '../runtime/retry-loop.ts';
import { ANY_VERSION } from '../zookeeper/session.ts';
import { claimLeave, type FloorClaim } from './claim.ts';
import { addressText, encodeTwin, serviceZnodes } from './contract.ts';
import { findOwn, type Own, register, whenGone } from './own-registration.ts';
import type { RegistrationOptions } from './registration-options.ts';
import { type Damping, fullDamping, nextRegistration, takeToken, type Wellness } from './registration-rules.ts';

/**
 * Keeps one instance of a service registered while its checks are well and nothing keeps it out. It comes back after
 * the session expired, after another client removed it, and after the ensemble was wiped, each time under a new name
 * and after a random wait. Guarantee: a registration counts as ours only if it belongs to our session. It is removed
 * only by a claim (claim.ts), so never below the floor unless the caller of `leave` waives that, and one that has to
 * stay is marked unwell in its twin. The service is not checked here; `say` takes the results of the checks.
 */
export function keepRegistered(options: RegistrationOptions): Registration {
  const { session, clock } = options;
  const keeper: Keeper = {
    options,
    bell: createBell(clock),
    mutex: createMutex(),
    stop: new AbortController(),
    listeners: new Set(),
    held: false,
    byHand: null,
    health: 'unknown',
    own: null,
    dueAt: 0,
    removedByChecks: false,
    damping: fullDamping(clock.monotonic()),
    watched: null,
    problem: null,
  };
  const offState = session.onState((state) => {
    if (state === 'connected' || state === 'closed') keeper.bell.ring();
  });
  const kept = keep(keeper);
  return {
    get name() {
      return keeper.own?.name ?? null;
    },
    get problem() {
      return keeper.problem;
    },
    say(health) {
      keeper.health = health;
      keeper.bell.ring();
    },
    leave: (signal, floor) => keeper.mutex(() => leave(keeper, signal, floor)),
    join() {
      keeper.held = false;
      keeper.bell.ring();
    },
    stayOut(words) {
      if (words === keeper.byHand) return;
      keeper.byHand = words;
      if (words === null) keeper.problem = null;
      keeper.bell.ring();
    },
    onChange(listener) {
      keeper.listeners.add(listener);
      return () => keeper.listeners.delete(listener);
    },
    async stop() {
      offState();
      keeper.stop.abort(new DOMException('stopped', 'AbortError'));
      keeper.watched?.end.abort();
      await kept;
    },
  };
}

export interface Registration {
  /** The name of the registration, once this process has seen it as its own. */
  readonly name: string | null;
  /** Why it is not registered although it is well, or not removed although a person keeps it out; for people. */
  readonly problem: string | null;
  say(health: Wellness): void;
  /** Takes it out until `join`. If the floor does not allow that, it stays as it is. @throws ZooKeeperError */
  leave(signal: AbortSignal, floor?: boolean): Promise<FloorClaim>;
  join(): void;
  /** A person's decision keeps it out, as soon as the floor allows; null: no longer. */
  stayOut(words: string | null): void;
  /** Calls the listener after each change of name or problem. */
  onChange(listener: () => void): () => void;
  /** Stops maintaining it. An existing registration stays for as long as its session. */
  stop(): Promise<void>;
}

interface Keeper {
  readonly options: RegistrationOptions;
  readonly bell: Bell;
  /** One change at a time: a pass, or a leave. */
  readonly mutex: Mutex;
  readonly stop: AbortController;
  readonly listeners: Set<() => void>;
  held: boolean;
  /** Why a person keeps it out. */
  byHand: string | null;
  health: Wellness;
  own: Own | null;
  /** When it may register again, by the monotonic clock. */
  dueAt: number;
  removedByChecks: boolean;
  damping: Damping;
  watched: { readonly name: string; readonly end: AbortController } | null;
  problem: string | null;
}

const TICK_MS = 30_000;
/** How often an instance that the floor keeps tries to leave. */
const FLOOR_MS = 1_000;
const RETURN_MS = 3_000;

async function keep(keeper: Keeper): Promise<void> {
  const { options, stop, bell } = keeper;
  const retryLoop = createRetryLoop(options);
  while (!stop.signal.aborted && options.session.state !== 'closed') {
    let waitMs = TICK_MS;
    try {
      waitMs = await keeper.mutex(() => pass(keeper));
      retryLoop.wentWell();
    } catch (error) {
      if (stop.signal.aborted) return;
      waitMs = retryLoop.failed(error, { service: options.service }, 'cannot keep the service registered, retrying');
    }
    await bell.wait(waitMs, stop.signal);
  }
}

/** @returns the time until the next pass if no bell rings, ms. */
async function pass(keeper: Keeper): Promise<number> {
  const { options, stop } = keeper;
  const { sessionId } = await options.session.connected(stop.signal);
  await lookForOwn(keeper, sessionId);
  const registered = keeper.own?.listed ?? false;
  switch (nextRegistration({ held: keeper.held, byHand: keeper.byHand !== null }, keeper.health, registered)) {
    case 'register':
      return await registerWhenDue(keeper, sessionId);
    case 'remove':
      return await removeFromList(keeper);
    case 'rest':
      return TICK_MS;
  }
}

async function lookForOwn(keeper: Keeper, sessionId: bigint): Promise<void> {
  const { options } = keeper;
  const before = keeper.own;
  keeper.own = await findOwn(options, sessionId);
  const lost = before?.listed && !keeper.own?.listed && !keeper.held;
  if (!lost) return watchOwn(keeper);
  const { clock, random, returnWithinMs = RETURN_MS } = options;
  keeper.dueAt = clock.monotonic() + random() * returnWithinMs;
  options.log.warn(
    { service: options.service, name: before.name },
    'the registration was lost, registering again soon',
  );
  changed(keeper);
}

async function registerWhenDue(keeper: Keeper, sessionId: bigint): Promise<number> {
  const { options } = keeper;
  const now = options.clock.monotonic();
  if (keeper.dueAt > now) return keeper.dueAt - now;
  if (keeper.removedByChecks) {
    const { damping, waitMs } = takeToken(keeper.damping, now);
    keeper.damping = damping;
    if (waitMs > 0) return waitMs;
  }
  const made = await register(options, keeper.own, sessionId);
  keeper.problem = made.refused;
  if (made.refused === null) {
    keeper.own = made.own;
    keeper.removedByChecks = false;
    const { service, address } = options;
    options.log.info({ service, name: made.own?.name, address: addressText(address) }, 'registered');
  }
  watchOwn(keeper);
  changed(keeper);
  return made.refused === null ? TICK_MS : FLOOR_MS;
}

async function removeFromList(keeper: Keeper): Promise<number> {
  const { options, health, own, stop, byHand } = keeper;
  const words = byHand ?? (typeof health === 'object' ? health.unwell : '');
  if (!own) return TICK_MS;
  const claim = await claimLeave(options, own.name, own.twin && { ...own.twin, state: 'out' }, stop.signal);
  if (claim.kind === 'wait') {
    if (byHand === null) await markUnwell(keeper, own, words, claim.words);
    else sayProblem(keeper, `${options.service} waits for its floor: ${claim.words}`);
    return FLOOR_MS;
  }
  keeper.own = { ...own, listed: false };
  keeper.removedByChecks = byHand === null;
  keeper.problem = null;
  const what = byHand === null ? 'not well: registration removed' : 'left the service, as a person asked';
  options.log.warn({ service: options.service, name: own.name, reason: words, alone: claim.alone }, what);
  changed(keeper);
  return TICK_MS;
}

function sayProblem(keeper: Keeper, words: string): void {
  if (keeper.problem === words) return;
  keeper.problem = words;
  changed(keeper);
}

async function markUnwell(keeper: Keeper, own: Own, words: string, floor: string): Promise<void> {
  const { session, service, log } = keeper.options;
  if (!own.twin || own.twin.unwell !== null) return;
  log.warn({ service, name: own.name, reason: words, floor }, 'not well, and stays registered: the floor');
  const twin = { ...own.twin, unwell: words.slice(0, 1_000) };
  await session.set(serviceZnodes(service).twin(own.name), encodeTwin(twin), ANY_VERSION);
  keeper.own = { ...own, twin };
}

async function leave(keeper: Keeper, signal: AbortSignal, floor = true): Promise<FloorClaim> {
  const { options } = keeper;
  const { sessionId } = await options.session.connected(signal);
  const own = await findOwn(options, sessionId);
  keeper.own = own;
  if (!own?.listed) {
    keeper.held = true;
    return { kind: 'left', zxid: null, alone: false };
  }
  const claim = await claimLeave(options, own.name, own.twin && { ...own.twin, state: 'out' }, signal, floor);
  if (claim.kind === 'wait') return claim;
  keeper.held = true;
  keeper.own = { ...own, listed: false };
  options.log.info({ service: options.service, name: own.name, alone: claim.alone }, 'left the service');
  changed(keeper);
  return claim;
}

/** Rings the bell when the registration is gone. */
function watchOwn(keeper: Keeper): void {
  const { own, watched, options } = keeper;
  const name = own?.listed ? own.name : null;
  if (watched?.name === name) return;
  watched?.end.abort();
  keeper.watched = null;
  if (name === null) return;
  const end = new AbortController();
  keeper.watched = { name, end };
  void whenGone(options, name, end.signal).then(keeper.bell.ring);
}

function changed({ listeners }: Keeper): void {
  for (const listener of [...listeners]) listener();
}
