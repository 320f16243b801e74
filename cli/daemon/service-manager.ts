import { createNotifier, type Notifier } from '../../agent/service/notify.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';

export interface ServiceManager extends Notifier {
  /** The time within which the manager wants to hear of us, ms; null: it does not watch. */
  readonly watchdogMs: number | null;
}

/** Who started us, by the variables of sd_notify(3) and sd_watchdog_enabled(3). */
export function serviceManager(log: Logger): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC, WATCHDOG_PID, PATH } = process.env;
  const path = PATH ?? '/usr/local/bin:/usr/bin:/bin';
  const usec = Number(WATCHDOG_USEC);
  const watches = usec > 0 && (WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid);
  return { ...createNotifier({ socket, path, clock, log }), watchdogMs: socket && watches ? usec / 1_000 : null };
}
