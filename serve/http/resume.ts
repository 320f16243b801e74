import type { Frame } from './frames.ts';

/** The last deltas, from which a client continues that was away for a moment. */
export interface Resume {
  add(sequence: number, frame: Frame): void;
  /** What a client with this `Last-Event-ID` missed; null: it needs a snapshot. */
  after(lastEventId: string | undefined, sequence: number): readonly Frame[] | null;
  idOf(sequence: number): string;
}

const MAX_FRAMES = 2_000;
/** At most what the stream lets a client be behind: with more, it would be ended in the middle of what it missed. */
const MAX_BYTES = 1024 * 1024;

/**
 * @param process names this process: a number of another one says nothing here.
 */
export function createResume(process: string): Resume {
  const kept: { readonly sequence: number; readonly frame: Frame }[] = [];
  let bytes = 0;
  return {
    idOf: (sequence) => `${process}-${sequence}`,
    add(sequence, frame) {
      kept.push({ sequence, frame });
      bytes += frame.plain.length;
      while (kept.length > MAX_FRAMES || (bytes > MAX_BYTES && kept.length > 0))
        bytes -= kept.shift()?.frame.plain.length ?? 0;
    },
    after(lastEventId, sequence) {
      const [, of, digits] = /^([0-9a-f]+)-(\d{1,15})$/.exec(lastEventId ?? '') ?? [];
      const last = Number(digits);
      if (of !== process || last > sequence) return null;
      const missed = kept.filter((each) => each.sequence > last);
      return missed.length === sequence - last ? missed.map(({ frame }) => frame) : null;
    },
  };
}
