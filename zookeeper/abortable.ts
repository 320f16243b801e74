import type { Session } from './session.ts';

/** Ways to wait for work of this layer without waiting for ever. */

const listening = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `action` when `signal` fires; not where it has fired already. The returned function takes it back. However many
 * wait for one signal, it has one listener of ours: at the eleventh Node would warn of a leak, and a program may well
 * have more watches than that under the signal that ends it.
 */
export function onAbort(signal: AbortSignal, action: () => void): () => void {
  const actions = listening.get(signal) ?? new Set();
  if (!listening.has(signal)) {
    listening.set(signal, actions);
    const fire = () => {
      for (const act of [...actions]) if (actions.has(act)) act();
    };
    signal.addEventListener('abort', fire, { once: true });
  }
  actions.add(action);
  return () => actions.delete(action);
}

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
  const takeBack = onAbort(signal, stop);
  work.then((late) => abandoned && undo(late)).catch(() => {});
  try {
    return await Promise.race([work, given]);
  } finally {
    takeBack();
  }
}

/** Waits for `work`, but only while the session is connected: what needs a server must not hold up a shutdown. */
export async function orDisconnected(session: Session, work: Promise<unknown>): Promise<void> {
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
