import { lstat } from 'node:fs/promises';
import type { Spare, Store } from '../git/store.ts';
import { classify } from '../runtime/errors.ts';
import type { Bundles } from './coordination/bundles.ts';
import { inspectLink, type Layout, releaseOf } from './disk/layout.ts';
import type { Vouch } from './door/vouch.ts';
import type { Observed } from './plan.ts';
import type { Journal } from './state/journal.ts';
import { isDone } from './state/progress.ts';
import type { WantedTarget } from './state/wanted.ts';

export interface ObserveParts {
  readonly layout: Layout;
  readonly store: Store;
  readonly spare: Spare;
  readonly vouch: Vouch;
  readonly isCanary: (wanted: WantedTarget) => boolean;
  readonly uid: number;
  readonly bundles: Bundles;
  /** What a release must be prepared with (steps/release-file.ts). */
  readonly preparation: string;
}

/** Reads the disk. What the agent remembers counts only for what the disk does not show, such as preparation. */
export async function observe(
  parts: ObserveParts,
  wanted: WantedTarget,
  journal: Journal,
  checked: string | null,
): Promise<Observed> {
  const { layout, store, bundles } = parts;
  const { target, override } = wanted;
  const known = journal.releases[target.commitId];
  // A person who goes back, perhaps without a network, gets a release as it ran. And nothing is prepared in a release
  // that a link shows.
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
  // A link to a deleted release shows nothing.
  const place = 'shown' in found && found.shown === target.commitId && !released ? { shown: null } : found;
  // Nearest first: what the decision does not need is not looked up, because each look-up in git costs a process.
  const proved = 'failure' in place || kept !== 'absent' ? null : await parts.spare.proved();
  const near = 'failure' in place || kept === 'checked';
  const asks = bundles.asksOrigin(wanted);
  const signedFor = !asks && bundles.accepts(target) ? 'also signed for' : undefined;
  const stored = near ? false : await store.has(target.commitId, target.url, signedFor);
  const unseen = asks && kept === 'checked' && !(await store.has(target.commitId, target.url));
  // If the commit came from another repository, this one is asked for it before the spare counts.
  const spare = proved === target.commitId && !stored ? null : proved;
  const settled = 'shown' in place && place.shown === target.commitId && isDone(journal);
  const vouched = settled || (await parts.vouch.vouched(target, parts.isCanary(wanted)));
  return { place, kept, spare, stored: stored && spare !== target.commitId, vouched, prepared, unseen };
}
