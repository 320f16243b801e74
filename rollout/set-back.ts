import type { TargetVersion } from '../schemas/values.ts';

/** Remembers, over the terms of one process, which target an ensemble showed right after it had lost writes. */
export interface SetBackWatch {
  /** @returns whether this target was found by the first look at an ensemble that had lost writes. */
  look(targetVersion: TargetVersion): boolean;
  /** That is in the record now, and a person's word about it is heard. */
  told(): void;
}

/** @param incarnation of the ensemble, as the session counts it: it grows whenever the ensemble lost what it had. */
export function createSetBackWatch(incarnation: () => number): SetBackWatch {
  let known = incarnation();
  let suspect: TargetVersion | null = null;
  return {
    look(targetVersion) {
      const now = incarnation();
      if (now !== known) suspect = targetVersion;
      known = now;
      // Whatever is written after that look is newer than the loss.
      if (suspect !== targetVersion) suspect = null;
      return suspect !== null;
    },
    told() {
      suspect = null;
    },
  };
}
