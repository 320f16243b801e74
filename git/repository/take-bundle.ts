import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { FSCK_STRICT } from '../objects/fsck-rules.ts';
import { objectFormatOf } from '../run/commit-id.ts';
import type { GitCall } from '../run/process.ts';
import { noteSigned } from './commit-origin.ts';
import { placePack, readMarks, writeMark } from './place-pack.ts';
import { suspicionOf } from './replace-store.ts';
import { exists, formatOf, isPinned, type Repository } from './repository.ts';

/** The objects of a commit that its base lacks, as a thin pack. Untrusted: anyone may have made it. */
export interface Bundle {
  readonly base: CommitId;
  readonly pack: Buffer;
}

/** Why a bundle was passed over: the origin is asked instead. */
export type PassedOver =
  /** The store is new, damaged, in doubt, or of another hash format. */
  | 'store'
  /** The base is not here. */
  | 'base'
  /** Git does not accept the pack: damaged, too large, objects that it complains about, or no pack. */
  | 'pack'
  /** The commit is not in the pack, or an object that it needs is neither there nor here. */
  | 'incomplete'
  /** The pack has objects that the commit does not need. */
  | 'extra'
  /** The store failed, for example because its base is damaged or the disk is full. */
  | 'failed';

/**
 * Brings a commit into the store from a bundle, and pins it. Only git reads the pack, because it detects SHA-1
 * collisions. It unpacks into a quarantine that borrows the store's objects; `rev-list` then walks the commit down to
 * what the base has, as `git fetch` does after a download. Only then does anything reach the store. Call it only within
 * the store's writing turn. However it ends, the quarantine is removed; a crash leaves it where stale-files.ts looks.
 *
 * Not checked here: whether anyone stands for the commit. The caller has a signature that names it and its url.
 * @returns null if the commit is here now; otherwise the store is as before.
 */
export async function takeBundle(
  repository: Repository,
  { url, commitId }: { readonly url: RepositoryUrl; readonly commitId: CommitId },
  bundle: Bundle,
  signal: AbortSignal,
): Promise<PassedOver | null> {
  if (!(await isUsable(repository, commitId))) return 'store';
  if (await isPinned(repository, commitId)) {
    await noteSigned(repository, commitId, url);
    return null;
  }
  if (bundle.base.length !== commitId.length || !(await isPinned(repository, bundle.base))) return 'base';
  const quarantine = join(repository.directory, 'objects', QUARANTINE);
  try {
    await makeQuarantine(repository, quarantine, commitId);
    const name = await unpack(repository, quarantine, bundle.pack, signal);
    if (name === null) return 'pack';
    await repository.failpoint('bundle.received');
    const odd = await judge(repository, quarantine, commitId, bundle, signal);
    if (odd) return odd;
    await repository.failpoint('bundle.proved');
    const aside = join(quarantine, 'objects', 'pack', name);
    const mark = await writeMark(repository, commitId);
    await placePack(repository, commitId, { name, pack: `${aside}.pack`, index: `${aside}.idx` }, mark, 'bundle');
    await noteSigned(repository, commitId, url);
    return null;
  } finally {
    await rm(quarantine, { recursive: true, force: true });
  }
}

/** A name that stale-files.ts removes. */
const QUARANTINE = 'incoming-bundle';

async function isUsable(repository: Repository, commitId: CommitId): Promise<boolean> {
  if (!(await exists(repository)) || (await suspicionOf(repository)) !== null) return false;
  return (await formatOf(repository)) === objectFormatOf(commitId);
}

/**
 * A repository that borrows the store's objects, made without a process. The commit is marked shallow in it, because a
 * bundle has no history, and so are the commits of the store.
 */
async function makeQuarantine(store: Repository, quarantine: string, commitId: CommitId): Promise<void> {
  await rm(quarantine, { recursive: true, force: true });
  await mkdir(join(quarantine, 'objects', 'info'), { recursive: true, mode: 0o700 });
  await mkdir(join(quarantine, 'refs'));
  const file = (name: string, content: string) => writeFile(join(quarantine, name), content);
  await file('HEAD', 'ref: refs/heads/none\n');
  await file('config', CONFIG[objectFormatOf(commitId)]);
  await file('shallow', `${await readMarks(store)}${commitId}\n`);
  await file('objects/info/alternates', `${join(store.directory, 'objects')}\n`);
}

const CONFIG = {
  sha1: '[core]\n\trepositoryformatversion = 0\n\tbare = true\n',
  sha256: '[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n',
};

/** A pack of this size is unpacked in milliseconds; a bomb is not. */
const TIMEOUT_MS = 10_000;
const MAX_MEMORY_BYTES = 256 * 1024 ** 2;

const bounds = (gitDir: string, signal: AbortSignal): GitCall => ({
  gitDir,
  signal,
  timeoutMs: TIMEOUT_MS,
  maxMemoryBytes: () => MAX_MEMORY_BYTES,
});

/** @returns the name of the pack in the quarantine, without its ending; null if git refuses it. */
async function unpack(
  { git, log }: Repository,
  quarantine: string,
  pack: Buffer,
  signal: AbortSignal,
): Promise<string | null> {
  const args = ['index-pack', FSCK_STRICT, '--fix-thin', '--stdin', `--max-input-size=${pack.length}`, '--threads=1'];
  // Nothing else reads a reverse index of a small pack.
  const call = { ...bounds(quarantine, signal), config: ['pack.writeReverseIndex=false'], input: pack };
  const said = await git.output(args, call).catch((error: unknown) => {
    signal.throwIfAborted();
    log.info({ error }, 'git does not accept the bundle');
    return '';
  });
  const [, id] = /^pack\t([0-9a-f]{40,64})\n$/.exec(said) ?? [];
  return id === undefined ? null : `pack-${id}`;
}

/** Whether the pack is exactly what the commit needs beside its base; otherwise what is odd. */
async function judge(
  { git, log }: Repository,
  quarantine: string,
  commitId: CommitId,
  { base, pack }: Bundle,
  signal: AbortSignal,
): Promise<PassedOver | null> {
  // As the publisher's pack-objects walks: down to the trees of the base, although it is no parent here.
  const walk = ['rev-list', '--objects', '--no-object-names', '--objects-edge-aggressive', commitId, `^${base}`, '--'];
  const listed = await git.output(walk, bounds(quarantine, signal)).catch((error: unknown) => {
    signal.throwIfAborted();
    log.info({ error }, 'the bundle lacks objects');
    return '';
  });
  const needed = listed.split('\n').filter((line) => line !== '' && !line.startsWith('-'));
  if (needed[0] !== commitId) return 'incomplete';
  // The header of a pack says how many objects it has, and git has counted them.
  return pack.readUInt32BE(8) > needed.length ? 'extra' : null;
}
