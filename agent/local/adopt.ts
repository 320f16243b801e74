import { lstat, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { differencesFrom } from '../../git/host/foreign-clone.ts';
import type { FetchOutcome } from '../../git/store.ts';
import { syncDirectory } from '../../runtime/durable-file.ts';
import { classify, FleetError } from '../../runtime/errors.ts';
import { allowTarget, parseTarget } from '../../schemas/target.ts';
import type { CommitId, RelativePath, RepositoryUrl, TargetVersion } from '../../schemas/values.ts';
import { type ApplyParts, apply } from '../apply.ts';
import { linkOf, releaseOf } from '../disk/layout.ts';
import { swapLink } from '../disk/releases.ts';
import type { Action } from '../plan.ts';
import { noteShown, noteWell } from '../state/link-history.ts';
import { type Adoption, type AdoptWish, BEFORE, decideAdoption } from './adopt-decision.ts';
import { type InspectionParts, inspectForAdoption, isThere } from './adopt-inspection.ts';
import { noteAdoption } from './adoption-record.ts';

export type AdoptParts = InspectionParts & Omit<ApplyParts, 'recheck'>;

export interface Adopted {
  readonly adoption: Adoption;
  /** The renamed directory, or where the other tool's link led. */
  readonly before: string;
  /** What the path showed until now in addition to the commit, or different from it. It no longer does. */
  readonly gone: readonly string[];
}

/**
 * Takes over what an earlier tool left at `relativePath`: its commit becomes a verified release of ours, and our link
 * takes the place. The caller must hold the state lock, so that no agent runs.
 *
 * A link is replaced by one rename: readers see the old release or ours. A directory cannot be: it is renamed away and
 * our link renamed into its place. Between these two renames there is an instant (well below a millisecond on an idle
 * machine) in which the path does not exist. If the second rename fails, the first is undone. A kill between them
 * leaves the directory at its new name, to be renamed back by hand.
 *
 * Nothing that others made is deleted or written to. Until the last inspection, right before the renames, nothing of
 * ours is visible. A refusal leaves objects in the store, or a release that retention removes, and nothing else.
 * @throws FleetError with the code of the refusal (adopt-decision.ts, disk/layout.ts), of git, or CHANGED_MEANWHILE,
 * NOT_ADOPTED, NOT_UNDONE.
 */
export async function adopt(
  parts: AdoptParts,
  wish: AdoptWish & { readonly by: string; readonly reason: string },
  signal: AbortSignal,
): Promise<Adopted> {
  const { layout, clock } = parts;
  const { relativePath } = wish;
  const adoption = await judge(parts, wish, signal);
  const { commitId, url, from } = adoption;
  await makeRelease(parts, wish, adoption, signal);
  const gone = from.kind === 'link' ? await shownOnlyThere(parts, from.directory, commitId, signal) : [];
  // The earlier tool may still be in use, and a person may still work in the clone.
  const now = await judge(parts, wish, signal);
  if (gone === null || !isDeepStrictEqual(now, adoption)) throw changed(relativePath);

  const before = parts.journal();
  // Intent comes first, as for every swap: after a crash the disk decides (repair-journal.ts).
  await parts.remember((journal) => noteShown(journal, relativePath, commitId, clock.now()));
  try {
    if (from.kind === 'link') await swapLink(layout, relativePath, commitId, parts.failpoint);
    else await replaceDirectory(parts, relativePath, commitId);
  } catch (error) {
    await parts.remember(() => before);
    throw error;
  }
  // What served well until now is a release to return to. Its activate command is not pending.
  await parts.remember((journal) => noteWell(journal, relativePath, commitId, url));
  const left = from.kind === 'link' ? from.directory : linkOf(layout, relativePath) + BEFORE;
  const { by, reason } = wish;
  await noteAdoption(layout.appState, { relativePath, commitId, url, before: left, by, reason, at: clock.now() });
  return { adoption, before: left, gone };
}

async function judge(parts: AdoptParts, wish: AdoptWish, signal: AbortSignal): Promise<Adoption> {
  const found = await inspectForAdoption(parts, wish.relativePath, Object.keys(parts.journal().links), signal);
  const decided = decideAdoption(found, wish);
  if (!decided.ok) throw new FleetError(decided.failure);
  return decided.adoption;
}

/** With the agent's own actions, so that an adopted release is like any other. */
async function makeRelease(
  parts: AdoptParts,
  { relativePath, allowUrls }: AdoptWish,
  { commitId, url, from }: Adoption,
  signal: AbortSignal,
): Promise<void> {
  const members = Buffer.from(JSON.stringify({ url, commitId, relativePath }));
  const judged = parseTarget(members, { allow: allowUrls });
  if (!judged.ok) throw new FleetError(judged.failure);
  // A person on this server chose it: no signature is asked for.
  const target = allowTarget(judged.target, null);
  const wanted = { kind: 'target', targetVersion: NO_WRITE, target } as const;
  const step = (action: Action) =>
    apply({ ...parts, recheck: async () => {} }, action, wanted, { interrupt: signal, stop: signal });
  const isMade = () => isThere(releaseOf(parts.layout, commitId));
  const ownGit = join(linkOf(parts.layout, relativePath), '.git');
  const brought = await bring(parts, from.kind === 'directory' && from.isOfUrl ? ownGit : null, url, commitId, signal);
  try {
    if (await isMade()) await step('check');
    if (!(await isMade())) {
      await step('write');
      await step('keep');
    }
    const { prepared = '' } = parts.journal().releases[commitId] ?? {};
    if (prepared !== parts.preparation) await step('prepare');
  } catch (error) {
    if (brought.network) await parts.store.unpin(commitId);
    throw error;
  }
}

/** Steps are told the targetVersion of a write of config. Here there is no write, and none is remembered. */
const NO_WRITE = '0.0' as TargetVersion;

/** From the clone if that works, else from the url: the clone may belong to another user, or lack objects. */
async function bring(
  parts: AdoptParts,
  ownGit: string | null,
  url: RepositoryUrl,
  commitId: CommitId,
  signal: AbortSignal,
): Promise<FetchOutcome> {
  if (ownGit === null) return await parts.store.fetch({ url, commitId }, signal);
  try {
    return await parts.store.fetch({ url: pathToFileURL(ownGit).href as RepositoryUrl, commitId }, signal);
  } catch (first) {
    if (signal.aborted) throw first;
    return await parts.store.fetch({ url, commitId }, signal).catch((error: unknown) => {
      const second = classify(error);
      const reason = `${second.message} (and from the clone itself: ${classify(first).message})`;
      throw signal.aborted ? error : new FleetError({ ...second.toFailure(), reason }, { cause: error });
    });
  }
}

/**
 * What shared directories, builds and people added to another tool's release; ours has only the commit. Null: the
 * release is gone, as after a deployment that cleaned up.
 */
async function shownOnlyThere(
  parts: AdoptParts,
  directory: string,
  commitId: CommitId,
  signal: AbortSignal,
): Promise<string[] | null> {
  const objects = join(parts.store.directory, 'objects');
  try {
    const names = await differencesFrom(parts.git, directory, objects, commitId, parts.layout.appState, signal);
    return names.filter((name) => name !== 'REVISION');
  } catch (error) {
    if (await isThere(directory)) throw error;
    return null;
  }
}

async function replaceDirectory(parts: AdoptParts, path: RelativePath, commitId: CommitId): Promise<void> {
  const link = linkOf(parts.layout, path);
  const aside = link + BEFORE;
  await rename(link, aside).catch((error: Error) => {
    const hint = 'what cannot be renamed, such as a mount point, cannot be adopted: move its content by hand';
    throw FleetError.of('NOT_ADOPTED', `${link} could not be renamed: ${error.message}`, hint, error);
  });
  try {
    await swapLink(parts.layout, path, commitId, parts.failpoint);
  } catch (error) {
    const why = (error as Error).message;
    await putBack(aside, link).catch((second: Error) => {
      const reason = `${link} got no link (${why}), and could not be put back: ${second.message}`;
      throw FleetError.of('NOT_UNDONE', reason, `rename ${aside} to ${link} by hand`, error);
    });
    const reason = `the link could not be put in place: ${why}; ${link} is the directory again`;
    throw FleetError.of('NOT_ADOPTED', reason, 'remove the cause and adopt again', error);
  }
}

async function putBack(aside: string, link: string): Promise<void> {
  const there = await lstat(link).catch(() => null);
  if (there?.isSymbolicLink()) await rm(link);
  await rename(aside, link);
  await syncDirectory(join(link, '..'));
}

function changed(path: RelativePath): FleetError {
  return FleetError.of('CHANGED_MEANWHILE', `${path} changed while its release was made ready; it was not touched`);
}
