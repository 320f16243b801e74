import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { run } from '../../runtime/process.ts';
import { clean } from '../../runtime/safe-text.ts';

/** The channel to the service manager (sd_notify(3)). Without a service manager nothing is sent and nothing fails. */
export interface Notifier {
  /** Assignments such as `READY=1`, in one message; messages keep their order. Never throws. */
  tell(...assignments: readonly string[]): Promise<void>;
}

interface NotifierParts {
  /** NOTIFY_SOCKET; undefined: there is no service manager. */
  readonly socket: string | undefined;
  /** PATH for systemd-notify. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** systemd-notify waits up to 5 s for its message to be received. */
const TIMEOUT_MS = 10_000;
const MAX_VALUE = 300;

/**
 * Uses systemd-notify, which every machine with systemd has: Node has no datagram sockets of the AF_UNIX kind, and an
 * add-on that has them would need a compiler on every server that installs us with npm. A message costs one process of
 * a few ms, and there are a few per minute. The unit therefore accepts messages from all its processes
 * (NotifyAccess=all); steps and git do not learn the name of the socket.
 */
export function createNotifier({ socket, path, clock, log }: NotifierParts): Notifier {
  if (!socket) return { tell: async () => {} };
  let queue = Promise.resolve();
  let failing = false;

  async function send(assignments: readonly string[]): Promise<void> {
    const result = await run(['systemd-notify', ...assignments.map(oneLine)], {
      env: { PATH: path, NOTIFY_SOCKET: socket as string, LANG: 'C.UTF-8' },
      clock,
      timeoutMs: TIMEOUT_MS,
      maxBytes: 4_096,
      keep: 'tail',
    });
    const failed = result.ended !== 'exit' || result.exitCode !== 0;
    // Once is enough: a manager that does not receive our messages will soon end us.
    if (failed && !failing) {
      const said = clean(result.stderr.toString('utf8').trim(), 500);
      log.warn({ ended: result.ended, exitCode: result.exitCode, said }, 'the service manager could not be told');
    }
    failing = failed;
  }

  return {
    tell(...assignments) {
      queue = queue.then(() => send(assignments));
      return queue;
    },
  };
}

/** A line break would start another assignment. */
const oneLine = (assignment: string): string => clean(assignment.replace(/\s+/g, ' '), MAX_VALUE);
