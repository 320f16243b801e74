import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import type { ObjectSource } from '../objects/object-reader.ts';
import { checkedCommitId, isCommitId, type ObjectFormat } from '../run/commit-id.ts';
import { gitError } from '../run/errors.ts';
import type { GitFailpoint } from '../run/failpoints.ts';
import { cameFrom, forgetOrigins } from './commit-origin.ts';

/**
 * The bare repository behind a store. Only we create it: under another name, then by rename, so it exists completely or
 * not at all. info/attributes overrides the attributes in a commit's tree, so the bytes on disk are the bytes of the
 * blobs. Wanted commits are pinned under refs/pins/.
 */
export interface Repository extends ObjectSource {
  readonly clock: Clock;
  readonly log: Logger;
  readonly failpoint: GitFailpoint;
  /** Commits that arrived since the process started: all their objects were hashed on arrival. */
  readonly fresh: Set<CommitId>;
  /** The result of the last check of the whole store (replace-store.ts). */
  readonly soundness: {
    /** It was found sound, and there was no failure of unknown cause since. */
    proved: boolean;
    /** The check timed out. */
    unprovable: boolean;
  };
}

const ATTRIBUTES = '* -text -eol -crlf -ident -filter -working-tree-encoding -export-subst -export-ignore\n';

export async function exists(repository: Pick<Repository, 'directory'>): Promise<boolean> {
  const head = await stat(join(repository.directory, 'HEAD')).catch(() => null);
  return head?.isFile() === true;
}

/** Creates the repository with this hash format, at `at` or in its own place. An existing one is success. */
export async function makeRepository(repository: Repository, format: ObjectFormat, at?: string): Promise<void> {
  const directory = at ?? repository.directory;
  if (await exists({ directory })) return;
  const aside = `${directory}.making`;
  await rm(aside, { recursive: true, force: true });
  await mkdir(dirname(directory), { recursive: true, mode: 0o700 });
  await mkdir(aside, { mode: 0o700 });
  await chmod(aside, 0o700);
  await repository.git.output(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, '--', aside]);
  await writeAttributes(aside);
  await repository.failpoint('store.made-aside');
  await rename(aside, directory);
}

export async function writeAttributes(directory: string): Promise<void> {
  const file = join(directory, 'info', 'attributes');
  if ((await readFile(file, 'utf8').catch(() => '')) === ATTRIBUTES) return;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, ATTRIBUTES);
}

export async function formatOf(repository: Pick<Repository, 'directory'>): Promise<ObjectFormat> {
  const config = await readFile(join(repository.directory, 'config'), 'utf8').catch((error: unknown) => {
    throw gitError('STORE_BROKEN', 'the config of the store cannot be read', undefined, error);
  });
  return /^\s*objectformat\s*=\s*sha256\s*$/im.test(config) ? 'sha256' : 'sha1';
}

const pinOf = (commitId: CommitId) => `refs/pins/${checkedCommitId(commitId)}`;

/** Whether the pin exists and names this very commit: a fetch wrote it after checking the objects. */
export async function isPinned(repository: Repository, commitId: CommitId): Promise<boolean> {
  if (!(await exists(repository))) return false;
  const found = await repository.reader.read(pinOf(commitId));
  return found !== null && found.type === 'commit' && found.id === commitId;
}

/** Whether the commit and its tree are here, pinned or not. */
export async function isWhole({ git, reader, directory }: Repository, commitId: CommitId): Promise<boolean> {
  if ((await reader.read(commitId))?.type !== 'commit') return false;
  const args = ['rev-list', '--objects', '--quiet', '--no-walk', commitId, '--'];
  return (await git.run(args, { gitDir: directory })).exitCode === 0;
}

/** Whether the commit is pinned, came from this url, and is whole. */
export async function isHere(
  repository: Repository,
  { url, commitId }: { readonly url: RepositoryUrl | null; readonly commitId: CommitId },
): Promise<boolean> {
  if (url !== null && !(await cameFrom(repository, commitId, url))) return false;
  const whole = async () => (await isPinned(repository, commitId)) && (await isWhole(repository, commitId));
  return await whole().catch(() => false);
}

/**
 * Removes broken pins first: git does not overwrite a ref that it cannot read, such as one that a power loss left
 * empty.
 */
export async function pin(repository: Repository, commitId: CommitId): Promise<void> {
  await removeBrokenPins(repository);
  await repository.git.output(['update-ref', pinOf(commitId), commitId], { gitDir: repository.directory });
}

export async function unpin(repository: Repository, commitId: CommitId): Promise<void> {
  if (!(await exists(repository))) return;
  await forgetOrigins(repository, commitId);
  const { directory } = repository;
  const packed = await readFile(join(directory, 'packed-refs'), 'utf8').catch(() => '');
  // In the writing turn, so no git writes a ref now. A ref that is not packed is this one file.
  if (!packed.includes(pinOf(commitId)))
    return await rm(join(directory, pinOf(commitId)), { recursive: true, force: true });
  await repository.git.output(['update-ref', '-d', pinOf(commitId)], { gitDir: repository.directory });
}

export async function pinned(repository: Repository): Promise<CommitId[]> {
  if (!(await exists(repository))) return [];
  const args = ['for-each-ref', '--format=%(objectname) %(objecttype) %(refname)', 'refs/pins/'];
  const lines = (await repository.git.output(args, { gitDir: repository.directory })).split('\n');
  return lines.flatMap((line) => {
    const [id, type, ref] = line.split(' ');
    return id && type === 'commit' && ref === `refs/pins/${id}` ? [checkedCommitId(id)] : [];
  });
}

/**
 * A pin is a file that contains its own name; anything else there is damaged, or not ours.
 * @throws if a file cannot be read for another reason: it may be the pin of what is served.
 */
export async function removeBrokenPins({ directory }: Pick<Repository, 'directory'>): Promise<void> {
  const pins = join(directory, 'refs', 'pins');
  const names = await readdir(pins).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR') await rm(pins, { force: true });
    return [];
  });
  for (const name of names.filter((each) => !each.endsWith('.lock'))) {
    const text = await readFile(join(pins, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (!NO_FILE.has(error.code ?? '')) throw error;
      return null;
    });
    if (text !== `${name}\n`) await rm(join(pins, name), { recursive: true, force: true });
  }
}

/** A directory, a loop of links, or a link to nothing. */
const NO_FILE = new Set(['EISDIR', 'ELOOP', 'ENOENT']);

/** The commits that pins name, whether or not their objects are here. Starts no process. */
export async function pinnedNames(repository: Pick<Repository, 'directory'>): Promise<CommitId[]> {
  return [...new Set(await pinNames(repository))].filter(isCommitId);
}

/** The names below refs/pins/, read from the files themselves: starts no process, and does not check what they name. */
export async function pinNames({ directory }: Pick<Repository, 'directory'>): Promise<string[]> {
  const [loose, packed] = await Promise.all([
    readdir(join(directory, 'refs', 'pins')).catch(() => []),
    readFile(join(directory, 'packed-refs'), 'utf8').catch(() => ''),
  ]);
  return [...loose, ...Array.from(packed.matchAll(/ refs\/pins\/(.*)$/gm), ([, name]) => name ?? '')];
}

/** For a caller that wants to write a commit which was never fetched. */
export function notHere(commitId: CommitId) {
  return gitError('COMMIT_ABSENT', `commit ${commitId} is not in the store`);
}

/** For a target whose commit id has another hash format than the kept commits. */
export function otherFormat(present: ObjectFormat, needed: ObjectFormat) {
  const hint = 'one app keeps one hash; publish a commit of the same kind, or use another app for this repository';
  return gitError('OBJECT_FORMAT', `the store is ${present}, the commit id is ${needed}`, hint);
}
