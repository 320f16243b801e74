import { lstat } from 'node:fs/promises';
import type { Spare, Store } from '../git/store.ts';
import { classify } from '../runtime/errors.ts';
import { inspectLink, type Layout, releaseOf } from './disk/layout.ts';
import type { Observed } from './plan.ts';
import type { Journal } from './state/journal.ts';
import type { WantedTarget } from './state/wanted.ts';

export interface ObserveParts {
  readonly layout: Layout;
  readonly store: Store;
  readonly spare: Spare;
  readonly uid: number;
  /** What a release has to be prepared by (steps/release-file.ts). */
  readonly preparation: string;
}

/** Looks at the disk, and only at the disk: no memory of what was done counts. */
export async function observe(
  parts: ObserveParts,
  { target, override }: WantedTarget,
  journal: Journal,
  checked: string | null,
): Promise<Observed> {
  const { layout, store } = parts;
  const known = journal.releases[target.commitId];
  // A person who goes back, perhaps without a network, gets a release as it ran; and nothing is made under readers.
  const asItRan = override !== undefined && known?.endedWell === true;
  const read = Object.values(journal.links).includes(target.commitId);
  const prepared = asItRan || read || (known?.prepared ?? '') === parts.preparation;
  const found = await inspectLink(layout, target.relativePath, Object.keys(journal.links), parts.uid).then(
    (shown) => ({ shown }),
    (error: unknown) => ({ failure: classify(error).toFailure() }),
  );
  const released = await lstat(releaseOf(layout, target.commitId)).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const kept = !released ? 'absent' : checked === target.commitId ? 'checked' : 'unchecked';
  // A link whose release somebody deleted shows nothing.
  const place = 'shown' in found && found.shown === target.commitId && !released ? { shown: null } : found;
  // Nearest first: what is not needed to decide is not looked up, each look-up in git costs a process.
  const proved = 'failure' in place || kept !== 'absent' ? null : await parts.spare.proved();
  const near = 'failure' in place || kept === 'checked';
  const stored = near ? false : await store.has(target.commitId, target.url);
  // What came from another repository is asked of this one before the spare counts.
  const spare = proved === target.commitId && !stored ? null : proved;
  return { place, kept, spare, stored: stored && spare !== target.commitId, prepared };
}
