import { FleetError } from '../../runtime/errors.ts';
import type { Doubt } from '../../zookeeper/recipes/in-doubt.ts';
import { onSignals } from '../shell/signals.ts';
import { warn } from '../shell/terminal.ts';

/** Before the command runs, a signal ends the wait; after that, signals go to the command. */
export function forwardSignals(): {
  readonly beforeCommand: AbortSignal;
  readonly toCommand: (take: (signal: NodeJS.Signals) => void) => void;
} {
  const stop = new AbortController();
  let take = (signal: NodeJS.Signals) =>
    stop.abort(FleetError.of('INTERRUPTED', `${signal} came before the command began`, 'run it again'));
  onSignals((signal) => take(signal));
  return {
    beforeCommand: stop.signal,
    toCommand(pass) {
      take = pass;
    },
  };
}

export function sayInDoubt(what: string, { signal }: Doubt): void {
  const why = signal.reason instanceof Error ? signal.reason.message : 'unknown';
  const { code, message, hint } = FleetError.of('IN_DOUBT', `${what} was in doubt, so the command was ended: ${why}`);
  warn(`${code}: ${message}`, `  ${hint}`);
}
