import type { Logger } from '../runtime/log.ts';
import { onAbort } from './abortable.ts';
import type { SessionState } from './session.ts';

/** Tells each change of the session's state: to listeners for as long as they stay, to those who wait only once. */
export interface StateChanges {
  /** Whom `tell` calls each time; the returned function takes it back. */
  onState(listener: (state: SessionState) => void): () => void;
  /** Whom the next `tell` calls, before all listeners; the returned function takes it back. */
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
