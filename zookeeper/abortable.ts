import type { Session } from './session.ts';

/** Ways to wait for work of this layer that always end. */

const listening = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `action` when `signal` fires, but not if it has already fired. The returned function cancels that. However many
 * actions wait for a signal, it has one listener of ours: at the eleventh Node would warn of a leak, and a program may
 * have more watches than that under one signal.
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

/** Waits for `work` until `signal` fires. A later result is passed to `undo`. */
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

/** Waits for `work`, but only while the session is connected: work that needs a server must not delay a shutdown. */
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
