import { createNotifier } from '../../agent/service/notify.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';

/**
 * Tells the service manager that started us, if one did, that the server serves, and from then on that it is not stuck: a
 * process that runs this timer can also answer. Variables: sd_notify(3), sd_watchdog_enabled(3).
 */
export async function tellServiceManager(log: Logger, shutdown: Shutdown): Promise<void> {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC, PATH } = process.env;
  const notifier = createNotifier({ socket, path: PATH ?? '/usr/local/bin:/usr/bin:/bin', clock, log });
  await notifier.tell('READY=1', 'STATUS=serves the page and the API');
  const everyMs = Number(WATCHDOG_USEC) / 3_000;
  if (!socket || !(everyMs > 0)) return;
  let cancel = () => {};
  const feed = () => {
    void notifier.tell('WATCHDOG=1');
    cancel = clock.after(everyMs, feed);
  };
  feed();
  shutdown.add('watchdog', () => cancel());
}
