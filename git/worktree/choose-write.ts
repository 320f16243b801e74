import type { Logger } from '../../runtime/log.ts';
import type { CommitId } from '../../schemas/values.ts';
import { type ContentRules, checkContent, checkRoom } from '../objects/content.ts';
import { type Difference, readDifference } from '../objects/difference.ts';
import type { ObjectSource } from '../objects/object-reader.ts';
import type { ContentsMemory } from './contents-memory.ts';
import { type Contents, contentsOf } from './full-checkout.ts';

/** The objects of a commit, and the rules for judging it. */
interface JudgedSource extends ObjectSource {
  readonly rules: ContentRules;
  readonly contents: ContentsMemory;
  readonly log: Logger;
}

/** How a commit gets into the spare. */
export interface WriteChoice {
  /** What to write into a spare that holds the base; null: git checks out the whole commit. */
  readonly difference: Difference | null;
  /** The whole commit; null if only a difference was judged, or if it has to be left to git's own checkout. */
  readonly contents: Contents | null;
}

/**
 * Judges a commit from its objects alone, before a byte of it is written: only the difference from the base, if the
 * spare holds a base and that is enough; otherwise the whole commit. @throws FleetError of content.ts, STORE_BROKEN.
 */
export async function chooseWrite(
  source: JudgedSource,
  base: CommitId | null,
  commitId: CommitId,
  directory: string,
  signal: AbortSignal,
): Promise<WriteChoice> {
  const difference = base === null ? null : await readDifference(source, base, commitId);
  if (difference) return { difference, contents: null };
  const known = source.contents.of(commitId); // Judged before, by the same rules.
  if (known) {
    await checkRoom(directory, known.files);
    return { difference: null, contents: known };
  }
  const entries = await checkContent(source, source.rules, commitId, directory, signal);
  return { difference: null, contents: contentsOf(entries, commitId) };
}
