import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { type Beat, findStuck } from './beats.ts';
import type { Notifier } from './notify.ts';

interface WatchdogParts {
  readonly notifier: Notifier;
  readonly beats: ReadonlyMap<string, Beat>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Feeds the service manager's watchdog for as long as no loop is stuck, three times within its time, so that one lost
 * message harms nobody. A blocked event loop feeds nobody by itself. Returns how to end it.
 * @param watchdogMs the manager's WatchdogSec.
 */
export function feedWatchdog(parts: WatchdogParts, watchdogMs: number): () => void {
  let cancel = () => {};
  let starved = false;

  function feed(): void {
    const stuck = findStuck(parts.beats, parts.clock.monotonic());
    if (!stuck) void parts.notifier.tell('WATCHDOG=1');
    else if (!starved) {
      parts.log.fatal({ ...stuck }, `the ${stuck.loop} loop is stuck: the watchdog gets nothing more and restarts us`);
      void parts.notifier.tell(`STATUS=stuck: the ${stuck.loop} loop waits for ${stuck.waitsFor}`);
    }
    starved = stuck !== null;
    cancel = parts.clock.after(watchdogMs / 3, feed);
  }

  feed();
  return () => cancel();
}
