import type { Clock } from '../../../runtime/clock.ts';
import { FleetError } from '../../../runtime/errors.ts';
import { howItEnded, run } from '../../../runtime/process.ts';
import { clean } from '../../../runtime/safe-text.ts';
import { customDataOf } from '../cloud-event.ts';
import type { Sink } from '../sink.ts';

interface CommandParts {
  readonly name: string;
  /** The program and its arguments; no shell. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly page: string | null;
  readonly path: string;
  readonly clock: Clock;
  readonly takes: Sink['takes'];
}

const KEPT_BYTES = 4_096;
const GENTLE_MS = 1_000;

/**
 * A program of the operator, with the event as JSON on its standard input. It runs in a process group of its own, which
 * ends with it or at its deadline; it gets PATH and nothing else of the environment. Exit code 0 means told.
 */
export function createCommand({ name, command, timeoutMs, page, path, clock, takes }: CommandParts): Sink {
  return {
    name,
    takes,
    async send({ id, event }, signal) {
      const input = `${JSON.stringify({ id, ...customDataOf(event, page) })}\n`;
      const bounds = { clock, timeoutMs, gentleMs: GENTLE_MS, signal, maxBytes: KEPT_BYTES, keep: 'tail' } as const;
      const result = await run(command, { env: { PATH: path, LC_ALL: 'C.UTF-8' }, input, ...bounds });
      if (result.ended === 'exit' && result.exitCode === 0) return;
      if (result.ended === 'abort') throw signal.reason;
      const said = clean(result.stderr.toString('utf8'), 300).trim();
      const words = `${command[0]} ${howItEnded(result, timeoutMs)}${said === '' ? '' : `: ${said}`}`;
      throw FleetError.of('NOT_DELIVERED', words, 'run it by hand with a line of JSON as its input (docs/notify.md)');
    },
  };
}
