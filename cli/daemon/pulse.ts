import { createLiveness, feedWatchdog, type Liveness } from '../../agent/service/liveness.ts';
import { createNotifier, type Notifier } from '../../agent/service/notify.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';
import type { AgentSettings } from '../../schemas/settings/settings.ts';

/** More frequent status lines would cost more than they tell. */
const STATUS_MS = 1_000;
/** How often ZooKeeper is asked whether it answers us. */
const ASK_MS = 60_000;
/** Each call has its own deadline, far below this. */
const ANSWER_MS = 5 * 60_000;

export interface ServiceManager extends Notifier {
  /** The period within which the manager must get a message from us, ms; null: it does not watch. */
  readonly watchdogMs: number | null;
}

/** The service manager that started us, from the variables of sd_notify(3) and sd_watchdog_enabled(3). */
export function serviceManager(log: Logger): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC, WATCHDOG_PID, PATH } = process.env;
  const path = PATH ?? '/usr/local/bin:/usr/bin:/bin';
  const usec = Number(WATCHDOG_USEC);
  const watches = usec > 0 && (WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid);
  return { ...createNotifier({ socket, path, clock, log }), watchdogMs: socket && watches ? usec / 1_000 : null };
}

/**
 * Tells the service manager the state of the agent: ready at its first pass, what it does, and that its loops are
 * alive.
 * @param onReady called once, after the first pass.
 */
export function pulseOf(
  manager: ServiceManager,
  live: () => AgentSettings,
  log: Logger,
  shutdown: Shutdown,
  onReady: () => void,
): Liveness {
  let cancelStatus: (() => void) | null = null;
  const pulse = createLiveness({
    clock,
    restMs: () => live().resyncInterval * 1.2,
    onFirstPass() {
      void manager.tell('READY=1');
      onReady();
    },
    onStatus() {
      cancelStatus ??= clock.after(STATUS_MS, () => {
        cancelStatus = null;
        void manager.tell(`STATUS=${pulse.status()}`);
      });
    },
  });
  if (manager.watchdogMs !== null) {
    const { beats } = pulse;
    shutdown.add('watchdog', feedWatchdog({ notifier: manager, beats, clock, log }, manager.watchdogMs));
  }
  shutdown.add('status', () => cancelStatus?.());
  return pulse;
}

/**
 * A second loop: ZooKeeper is asked regularly, and any result, also that ZooKeeper is away, shows that the handle
 * works. If none ever comes, the agent would not learn of a new target.
 */
export function beatOfSession(answers: () => Promise<unknown>, pulse: Liveness, shutdown: Shutdown): void {
  let cancel = () => {};
  let over = false;
  function ask(): void {
    pulse.beat('ZooKeeper', 'an answer, or that there is none', ANSWER_MS);
    const next = () => {
      pulse.beat('ZooKeeper', 'the next question', ASK_MS + ANSWER_MS);
      // The end of the session counts as an answer too, and nothing is asked after it.
      if (!over) cancel = clock.after(ASK_MS, ask);
    };
    answers().then(next, next);
  }
  ask();
  shutdown.add('questions to ZooKeeper', () => {
    over = true;
    cancel();
  });
}
