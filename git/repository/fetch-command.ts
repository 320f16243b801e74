import { watch } from 'node:fs';
import { join } from 'node:path';
import type { RepositoryUrl } from '../../schemas/values.ts';
import { FSCK_SETTINGS } from '../objects/fsck-rules.ts';
import type { GitAccess } from '../run/credentials.ts';
import { type FetchLimits, watchProgress } from '../run/deadline.ts';
import { gitError, gitFailure } from '../run/errors.ts';
import { MAX_MEMORY_BYTES } from '../run/process.ts';
import type { Repository } from './repository.ts';
import { removeStaleOfFetch } from './stale-files.ts';

/** One `git fetch` into the store: how deep, and which refspecs. */
export type Fetcher = (depth: readonly string[], refspecs: readonly string[]) => Promise<void>;

/**
 * `git fetch` from one url, within the limits of deadline.ts. A failure carries the code of its cause. Success does not
 * prove that the wanted commit arrived.
 * @param hear called with what git writes to its standard error, while it runs.
 */
export function fetcher(
  repository: Pick<Repository, 'directory' | 'git' | 'clock'>,
  url: RepositoryUrl,
  access: GitAccess,
  limits: FetchLimits,
  signal: AbortSignal,
  hear: (words: string) => void = () => {},
): Fetcher {
  return async (depth, refspecs) => {
    const watch = watchProgress(repository.clock, limits);
    const options = ['--progress', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules'];
    try {
      const said = await repository.git.run(
        ['fetch', ...options, '--no-auto-maintenance', ...packedBy(url), ...depth, '--', url, ...refspecs],
        {
          gitDir: repository.directory,
          config: [...access.config, ...FETCH_SETTINGS],
          env: access.env,
          protocols: access.protocols,
          timeoutMs: limits.totalMs + 1_000,
          signal: AbortSignal.any([signal, watch.signal]),
          maxMemoryBytes: () => (watch.begun ? MAX_MEMORY_BYTES : MAX_MEMORY_BEFORE),
          onOutput: (stream, chunk) => {
            if (stream !== 'stderr') return;
            hear(chunk.toString('latin1'));
            watch.saw(chunk.toString('latin1'));
          },
        },
      );
      if (said.exitCode !== 0) throw gitFailure('git fetch', said, 'GIT_FAILED', url);
      if (watch.overdue === 'size') throw overdue('size', limits); // Its last output exceeded the limit.
    } catch (error) {
      if ((error as { code?: unknown }).code === 'NO_MEMORY' && !watch.begun) throw flooded(error);
      throw signal.aborted || watch.overdue === null ? error : overdue(watch.overdue, limits);
    } finally {
      watch.stop();
    }
  };
}

/**
 * The same fetch; however it fails, no lock and no half pack of it stays in the store. Use it only within the store's
 * writing turn: a lock found there is a leftover, so it is removed and the fetch is repeated once.
 */
export const clearingUp =
  (store: string, fetch: Fetcher): Fetcher =>
  async (depth, refspecs) => {
    const once = () =>
      fetch(depth, refspecs).catch(async (error: unknown) => {
        await removeStaleOfFetch(store);
        throw error;
      });
    await once().catch((error: { code?: unknown }) => {
      if (error.code !== 'STORE_LOCKED') throw error;
      return once();
    });
  };

/**
 * The git that packs for a `file:` origin is a child of ours, so its memory counts towards our limit. It searches for
 * deltas with one thread and a bounded window, so that large files do not exceed the limit. These settings are on its
 * own command line, because git does not pass ours on to it.
 */
const packedBy = (url: RepositoryUrl): string[] => (url.startsWith('file:') ? [`--upload-pack=${FRUGAL_PACKER}`] : []);

export const FRUGAL_PACKER = 'git -c pack.threads=1 -c pack.windowMemory=64m upload-pack';

/**
 * Always a pack, never loose objects: a pack is fsynced as one file, and its objects cannot be changed one by one
 * unnoticed.
 */
export const FETCH_SETTINGS = ['fetch.unpackLimit=1', ...FSCK_SETTINGS];

/** Before the first object arrives, git holds only the server's list of refs: 256 MiB hold more than a million refs. */
const MAX_MEMORY_BEFORE = 256 * 1024 ** 2;

const flooded = (cause: unknown) =>
  gitError('FLOODED', `git fetch needed more than ${MAX_MEMORY_BEFORE} bytes before an object came`, undefined, cause);

function overdue(why: 'silent' | 'total' | 'size', limits: FetchLimits) {
  if (why === 'size') {
    const hint = 'publish a commit with less content; this limit is not a setting';
    return gitError('TOO_LARGE', `the fetch brought more than ${limits.maxBytes} bytes`, hint);
  }
  const hint = 'the git server accepts connections but makes no progress; the agent tries again automatically';
  const ms = why === 'silent' ? limits.silentMs : limits.totalMs;
  const reason = why === 'silent' ? `no progress for ${ms} ms` : `not done after ${ms} ms`;
  return gitError('FETCH_FAILED', `git fetch: ${reason}`, hint);
}

/**
 * Calls `arrived` once, as soon as a pack of a fetch is complete and can be read: when its index appears, which is the
 * last of its files. Git then still checks connectivity and writes the ref, 5 to 10 ms with thousands of files. If the
 * system refuses the watch, `arrived` is never called.
 * @returns a function that ends the watch.
 */
export function onNextPack(store: string, arrived: () => void): () => void {
  try {
    const watcher = watch(join(store, 'objects', 'pack'), { persistent: false }, (_, name) => {
      if (!name?.endsWith('.idx')) return;
      watcher.close();
      arrived();
    });
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
