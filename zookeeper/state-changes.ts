import type { Logger } from '../runtime/log.ts';
import { onAbort } from './abortable.ts';
import type { SessionState } from './session.ts';

/** Announces each change of the session's state: to listeners every time, to waiters once. */
export interface StateChanges {
  /** Registers for every change. The returned function removes the listener. */
  onState(listener: (state: SessionState) => void): () => void;
  /** Registers for the next change only; called before the listeners. The returned function removes the waiter. */
  onceChanged(changed: () => void): () => void;
  /** Resolves after the next change of state, or when `signal` fires. */
  next(signal?: AbortSignal): Promise<void>;
  wakeWaiting(): void;
  tellListeners(state: SessionState): void;
}

export function createStateChanges(log: Logger): StateChanges {
  const listeners = new Set<(state: SessionState) => void>();
  const waiters = new Set<() => void>();

  function onceChanged(changed: () => void): () => void {
    waiters.add(changed);
    return () => waiters.delete(changed);
  }

  return {
    onState(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onceChanged,
    next(signal) {
      return new Promise((resolve) => {
        const off = onceChanged(done);
        const stopListening = signal ? onAbort(signal, done) : () => {};
        function done() {
          stopListening();
          off();
          resolve();
        }
      });
    },
    wakeWaiting() {
      const woken = [...waiters];
      waiters.clear();
      for (const wake of woken) wake();
    },
    tellListeners(state) {
      for (const listener of [...listeners]) {
        try {
          listener(state);
        } catch (error) {
          log.error({ error }, 'a listener to the session state threw');
        }
      }
    },
  };
}
