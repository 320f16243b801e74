import type { Clock } from '../../runtime/clock.ts';

/**
 * A deadline that moves with progress: a fetch may continue while it makes progress, up to a total limit. Output alone
 * is not progress, because with a very slow server git repeats its meter each second. Counted objects are progress, and
 * so is each further chunk of received bytes.
 */
export interface FetchLimits {
  /** The fetch is ended after this time without progress. */
  readonly silentMs: number;
  /** The fetch is ended after this time in any case. */
  readonly totalMs: number;
  /** The fetch is ended when it has received more bytes than this. */
  readonly maxBytes: number;
}

export const FETCH_LIMITS: FetchLimits = { silentMs: 30_000, totalMs: 15 * 60_000, maxBytes: 4 * 1024 ** 3 };

type Overdue = 'silent' | 'total' | 'size';

interface ProgressWatch {
  /** Fires when a limit is exceeded. */
  readonly signal: AbortSignal;
  readonly overdue: Overdue | null;
  /** Whether anything was counted yet. Until then no object has arrived. */
  readonly begun: boolean;
  saw(words: string): void;
  stop(): void;
}

const CHUNK_BYTES = 16 * 1024;

export function watchProgress(clock: Clock, limits: FetchLimits): ProgressWatch {
  const controller = new AbortController();
  let overdue: Overdue | null = null;
  const end = (why: Overdue) => {
    overdue ??= why;
    controller.abort(new DOMException('the fetch is overdue', 'AbortError'));
  };
  let cancelSilent = clock.after(limits.silentMs, () => end('silent'));
  const cancelTotal = clock.after(limits.totalMs, () => end('total'));
  let counted = '';
  let received = 0;

  return {
    signal: controller.signal,
    get overdue() {
      return overdue;
    },
    get begun() {
      return counted !== '' || received > 0;
    },
    saw(words) {
      const progress = readProgress(words);
      if (progress.bytes > limits.maxBytes) return end('size');
      const further = progress.bytes >= received + CHUNK_BYTES;
      if (!further && (progress.counted === '' || progress.counted === counted)) return;
      counted = progress.counted;
      received = Math.max(received, progress.bytes);
      cancelSilent();
      cancelSilent = clock.after(limits.silentMs, () => end('silent'));
    },
    stop() {
      cancelSilent();
      cancelTotal();
    },
  };
}

/** The last thing counted (`Receiving objects (12/100)`) and the bytes received, from git's progress meter. */
export function readProgress(words: string): { counted: string; bytes: number } {
  const meters = [...words.matchAll(/([A-Z][A-Za-z ]+):\s+(?:\d+% \()?(\d+)(?:\/\d+)?/g)];
  const last = meters.at(-1);
  const amount = [...words.matchAll(/, ([\d.]+) (bytes|KiB|MiB|GiB)/g)].at(-1);
  const unit = { bytes: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }[amount?.[2] ?? 'bytes'] ?? 1;
  return { counted: last ? `${last[1]} ${last[2]}` : '', bytes: Number(amount?.[1] ?? 0) * unit };
}
