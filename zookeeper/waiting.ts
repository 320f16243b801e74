import type { Session } from './session.ts';

/** Ways to wait for work of this layer without waiting for ever. */

/** Waits for `work`, but no longer than `signal` lets us; what comes too late is handed to `undo`. */
export async function orAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  undo: (late: T) => unknown = () => {},
): Promise<T> {
  let abandoned = false;
  let stop = () => {};
  const given = new Promise<never>((_, reject) => {
    stop = () => {
      abandoned = true;
      reject(signal.reason);
    };
  });
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  work.then((late) => abandoned && undo(late)).catch(() => {});
  try {
    return await Promise.race([work, given]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Waits for `work`, but only while the session is connected: what needs a server must not hold up a shutdown. */
export async function whileConnected(session: Session, work: Promise<unknown>): Promise<void> {
  if (session.state !== 'connected') return;
  let off = () => {};
  const away = new Promise<void>((resolve) => {
    off = session.onState((state) => {
      if (state !== 'connected') resolve();
    });
  });
  await Promise.race([work, away]);
  off();
}
