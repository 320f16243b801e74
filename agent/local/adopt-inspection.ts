import { lstat, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { differencesFrom, type ForeignRepository, readForeign } from '../../git/host/foreign-clone.ts';
import type { Git } from '../../git/run/process.ts';
import { classify } from '../../runtime/errors.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import type { CommitId, RelativePath } from '../../schemas/values.ts';
import { inspectLink, type Layout, linkOf } from '../disk/layout.ts';
import { BEFORE, type Found } from './adopt-decision.ts';

export interface InspectionParts {
  readonly layout: Layout;
  readonly git: Git;
  readonly uid: number;
}

/**
 * Inspects what an earlier tool left where our link has to go. Writes nothing there and runs nothing of it.
 * @param ours the relative paths of the links we made.
 * @throws FleetError of inspectLink, if the place cannot be ours at all.
 */
export async function inspectForAdoption(
  parts: InspectionParts,
  path: RelativePath,
  ours: readonly string[],
  signal: AbortSignal,
): Promise<Found> {
  const link = linkOf(parts.layout, path);
  const asideTaken = await isThere(link + BEFORE);
  try {
    const shown = await inspectLink(parts.layout, path, ours, parts.uid);
    return shown === null ? { kind: 'nothing', asideTaken } : { kind: 'ours', commitId: shown };
  } catch (error) {
    // An occupied place is what an adoption is for. Every other refusal stands.
    if (classify(error).code !== 'OCCUPIED') throw error;
  }
  const found = await lstat(link);
  if (found.isSymbolicLink()) return await lookAtLink(parts, link, signal);
  if (!found.isDirectory()) return { kind: 'file' };
  const repository = (await isDirectory(join(link, '.git'))) ? await readForeign(parts.git, gitOf(link), signal) : null;
  const differing = repository?.head ? await differencesOf(parts, link, repository.head, signal) : [];
  return { kind: 'directory', repository, differing, asideTaken };
}

const gitOf = (directory: string): string => join(directory, '.git');

/** A clone may borrow its objects from elsewhere; git follows that automatically. */
const differencesOf = (parts: InspectionParts, directory: string, commitId: CommitId, signal: AbortSignal) =>
  differencesFrom(parts.git, directory, join(gitOf(directory), 'objects'), commitId, parts.layout.appState, signal);

async function lookAtLink(parts: InspectionParts, link: string, signal: AbortSignal): Promise<Found> {
  const leadsTo = await readlink(link);
  const directory = await directoryBehind(link);
  const nothing = { kind: 'link', leadsTo, directory, reserved: false, commitId: null, originUrl: null } as const;
  if (directory === null) return nothing;
  const own = await realpath(join(parts.layout.root, '.gitfleet'));
  if (`${directory}${sep}`.startsWith(own + sep)) return { ...nothing, reserved: true };
  const [mirror, clone] = await Promise.all([mirrorOf(directory), isThere(gitOf(directory))]);
  const read = (gitDir: string): Promise<ForeignRepository> => readForeign(parts.git, gitDir, signal);
  const repository = clone ? await read(gitOf(directory)) : null;
  const originUrl = (mirror && (await read(mirror)).originUrl) ?? repository?.originUrl ?? null;
  return { ...nothing, commitId: (await revisionOf(directory)) ?? repository?.head ?? null, originUrl };
}

async function directoryBehind(link: string): Promise<string | null> {
  const real = await realpath(link).catch(() => null);
  return real !== null && (await stat(real)).isDirectory() ? real : null;
}

/** The layout of Capistrano: `releases/<time>`, and beside `releases` the bare mirror `repo`. */
async function mirrorOf(release: string): Promise<string | null> {
  const releases = dirname(release);
  const mirror = join(dirname(releases), 'repo');
  return basename(releases) === 'releases' && (await isDirectory(mirror)) ? mirror : null;
}

/** Null also for an abbreviated id: the commit must be known exactly. */
async function revisionOf(directory: string): Promise<CommitId | null> {
  const file = join(directory, 'REVISION');
  const found = await lstat(file).catch(() => null);
  if (!found?.isFile() || found.size > 200) return null;
  const text = (await readFile(file, 'utf8')).trim();
  return isCommitId(text) ? text : null;
}

export const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** A directory itself, not a link to one. */
const isDirectory = (path: string): Promise<boolean> =>
  lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
