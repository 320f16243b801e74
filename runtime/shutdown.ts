/**
 * The ordered release of what a process holds. Releasers run newest first, each at most once. One that throws does not
 * prevent the others.
 */
export interface Shutdown {
  /** Fires as soon as a stop is requested. */
  readonly signal: AbortSignal;
  /** Runs `release` when the process stops. The returned function cancels that. */
  add(name: string, release: () => Promise<void> | void): () => void;
  /** Requests a stop: work ends at its next safe point. Nothing is released yet. */
  ask(): void;
  /** Requests a stop and releases everything. Idempotent: a second call waits for the first. */
  stop(): Promise<void>;
}

export function createShutdown(onError: (name: string, error: unknown) => void): Shutdown {
  const asked = new AbortController();
  const releasers: { name: string; release: () => Promise<void> | void }[] = [];
  let stopping: Promise<void> | undefined;

  const ask = () => asked.abort(new DOMException('stopping', 'AbortError'));

  async function releaseAll(): Promise<void> {
    ask();
    for (let next = releasers.pop(); next; next = releasers.pop()) {
      try {
        await next.release();
      } catch (error) {
        onError(next.name, error);
      }
    }
  }

  return {
    signal: asked.signal,
    ask,
    add(name, release) {
      const entry = { name, release };
      releasers.push(entry);
      return () => {
        const at = releasers.indexOf(entry);
        if (at >= 0) releasers.splice(at, 1);
      };
    },
    stop() {
      stopping ??= releaseAll();
      return stopping;
    },
  };
}
