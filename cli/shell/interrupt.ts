import { type Clock, systemClock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { deploymentName } from '../../schemas/deployment.ts';
import { SILENT_MS } from './session.ts';
import { warn } from './terminal.ts';

/** How long the outcome of a write is awaited after Ctrl-C: far longer than a working server needs. */
const PATIENCE_MS = 2_000;

/**
 * Ctrl-C during a write. The process does not end in the middle of it: a write that was not sent is no longer sent, and
 * the command says which one was.
 */
export interface Interrupt {
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  /** Call it before a deployment is sent. @throws FleetError INTERRUPTED: do not send it. */
  readonly beforeWrite: (deployment: number) => void;
  /**
   * The outcome of work that writes; after Ctrl-C, waits only a moment longer.
   * @param what is written, if it is not a deployment.
   * @throws FleetError INTERRUPTED if the outcome is not known by then.
   */
  outcomeOf<T>(work: Promise<T>, what?: string): Promise<T>;
  release(): void;
}

export function takeInterrupt(
  clock: Pick<Clock, 'sleep'> = systemClock,
  source: NodeJS.EventEmitter = process,
  tell: (words: string) => void = warn,
): Interrupt {
  const pressed = new AbortController();
  const press = () => pressed.abort();
  source.on('SIGINT', press);
  let sent: string | null = null;
  return {
    signal: pressed.signal,
    beforeWrite(deployment) {
      if (pressed.signal.aborted) throw interrupted(null);
      sent = deploymentName(deployment);
    },
    async outcomeOf(work, what) {
      const over = new AbortController();
      const given = (async () => {
        await aborted(pressed.signal);
        await clock.sleep(PATIENCE_MS, over.signal);
        throw interrupted(sent === null ? (what ?? null) : `${sent} may be published`);
      })();
      const told = clock.sleep(SILENT_MS, over.signal).then(() => {
        if (sent !== null) tell(`no answer about ${sent} yet; checking whether it is published`);
        else if (what !== undefined) tell(`no answer yet: ${what}`);
      });
      // A promise that is no longer awaited must not count as an unhandled rejection.
      for (const each of [work, given, told]) each.catch(() => {});
      return await Promise.race([work, given]).finally(() => over.abort());
    },
    release: () => void source.removeListener('SIGINT', press),
  };
}

/** One write that is not a deployment. @param mayBe said if its outcome is unknown, such as `d-3 may be paused`. */
export async function written<T>(mayBe: string, work: () => Promise<T>): Promise<T> {
  const interrupt = takeInterrupt();
  try {
    return await interrupt.outcomeOf(work(), mayBe);
  } finally {
    interrupt.release();
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const interrupted = (mayBe: string | null): FleetError =>
  FleetError.of(
    'INTERRUPTED',
    mayBe === null ? 'nothing was written' : `ZooKeeper has not answered: ${mayBe}`,
    mayBe === null ? 'run the command again to retry' : 'gitfleet status shows whether it happened',
  );
