import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { createMutex } from '../runtime/mutex.ts';
import type { CommitId, Credential, RepositoryUrl } from '../schemas/values.ts';
import { createOriginDirectories } from './local-copy/origin-directory.ts';
import { CONTENT_RULES, type ContentRules } from './objects/content.ts';
import type { Difference } from './objects/difference.ts';
import { createObjectReader } from './objects/object-reader.ts';
import { recover } from './recover.ts';
import { fetchCommit } from './repository/fetch.ts';
import { gc } from './repository/gc.ts';
import { doubting, isSuspect, markSuspect } from './repository/replace-store.ts';
import { isPinned, notHere, pinned, type Repository, unpin } from './repository/repository.ts';
import { checkedCommitId } from './run/commit-id.ts';
import { accessTo } from './run/credentials.ts';
import { FETCH_LIMITS, type FetchLimits } from './run/deadline.ts';
import { gitError } from './run/errors.ts';
import { type Failpoint, NO_FAILPOINT } from './run/failpoints.ts';
import { marksOf } from './run/orphans.ts';
import { createGit } from './run/process.ts';
import type { Drift, Store } from './store.ts';
import { type InspectOptions, inspectWorkTree } from './worktree/inspect.ts';
import { type ForesightedSpare, type GitSpare, openSpare } from './worktree/open-spare.ts';
import { restoreFiles } from './worktree/restore-files.ts';
import { attachWorkTree, findWorkTree, removeWorkTree } from './worktree/work-tree.ts';

export interface StoreOptions {
  /** `<state>/apps/<app>/store.git`: absolute, without `..`, ours alone. Its parents are made with mode 0700. */
  readonly directory: string;
  /** What the settings grant for a url; asked at each fetch, so that changed settings count at once. */
  readonly credentialFor: (url: RepositoryUrl) => Credential | undefined;
  /** Protocols that fetches may use, without the colon. file, http and git only where a prefix of theirs is listed. */
  readonly allowProtocols: readonly string[];
  /** The state lock, which git children hold too. */
  readonly lockFd?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** PATH for git and its helpers. */
  readonly path?: string | undefined;
  readonly rules?: Partial<ContentRules> | undefined;
  readonly limits?: Partial<FetchLimits> | undefined;
  /** False: always git's own full checkout, never the diff engine. */
  readonly diffEngine?: boolean | undefined;
  /** Only for crash tests. */
  readonly failpoint?: Failpoint | undefined;
}

/** What our store offers beyond the contract that everybody codes against. */
export interface GitStore extends Store {
  spare(directory: string): GitSpare;
  inspect(directory: string, commitId: CommitId, signal: AbortSignal, options?: InspectOptions): Promise<Drift>;
  /** Makes a release that drifted its commit again, in place. */
  putRight(directory: string, commitId: CommitId, signal: AbortSignal, clean: readonly string[] | null): Promise<void>;
  /** Takes a directory of files for a work tree of the commit, if it is none of this store yet; touches no file. */
  attach(directory: string, commitId: CommitId): Promise<void>;
  /** Idle time: packs what many small fetches left, and drops what nothing pins or shows any more. */
  tidy(signal: AbortSignal): Promise<void>;
  /** Ends the resident children; the store may be used again, and starts new ones then. */
  close(): void;
}

/** Opens the store of one app. Touches no disk: `recover` makes it and clears what a crash left. */
export function openStore(options: StoreOptions): GitStore {
  const repository = repositoryOf(options);
  const limits = { ...FETCH_LIMITS, ...options.limits };
  const spares = new Map<string, ForesightedSpare>();

  return {
    directory: repository.directory,
    async has(commitId) {
      if (await isSuspect(repository)) return false;
      return isPinned(repository, checkedCommitId(commitId)).catch(async (error: { code?: unknown }) => {
        if (error.code !== 'STORE_BROKEN') throw error;
        await markSuspect(repository, error);
        return false;
      });
    },
    async fetch(request, signal) {
      const commitId = checkedCommitId(request.commitId);
      const access = (url: RepositoryUrl) => accessTo(url, options.credentialFor(url), options.allowProtocols);
      const arrived = (difference: Difference | null) => {
        for (const spare of spares.values()) void spare.readAhead(commitId, signal, difference).catch(() => {});
      };
      return repository.writing(() => {
        const base = [...spares.values()].find(({ lastProved }) => lastProved !== null)?.lastProved ?? null;
        const wanted = { ...request, commitId, base };
        return doubting(repository, fetchCommit(repository, wanted, access, limits, signal, arrived));
      });
    },
    unpin: (commitId) => repository.writing(() => unpin(repository, checkedCommitId(commitId))),
    pinned: () => pinned(repository),
    spare(directory) {
      const path = checkedPath(directory);
      const spare = spares.get(path) ?? openSpare(repository, path);
      spares.set(path, spare);
      return spare;
    },
    async inspect(directory, commitId, signal, inspection) {
      const id = checkedCommitId(commitId);
      const tree = await findWorkTree(repository, checkedPath(directory));
      if (!tree) throw notOurs(directory);
      if (!(await isPinned(repository, id))) throw notHere(id);
      return doubting(repository, inspectWorkTree(repository, tree, id, signal, inspection));
    },
    async attach(directory, commitId) {
      const path = checkedPath(directory);
      const id = checkedCommitId(commitId);
      await repository.writing(async () => {
        if (!(await findWorkTree(repository, path))) await attachWorkTree(repository, path, id);
      });
    },
    async putRight(directory, commitId, signal, clean) {
      const id = checkedCommitId(commitId);
      const tree = await findWorkTree(repository, checkedPath(directory));
      if (!tree) throw notOurs(directory);
      await repository.writing(() => doubting(repository, restoreFiles(repository, tree, id, clean, signal)));
    },
    removeWorkTree: (directory) => removeWorkTree(repository, checkedPath(directory)),
    recover: () => repository.writing(() => recover(repository)),
    tidy: (signal) => repository.writing(() => gc(repository, signal)),
    close() {
      repository.reader.close();
      repository.sizes.close();
    },
  };
}

function repositoryOf(options: StoreOptions): Repository {
  const directory = checkedPath(options.directory);
  const { clock, random, log, path, lockFd } = options;
  const git = createGit({ clock, log, path, lockFd, marks: marksOf(directory) });
  return {
    directory,
    git,
    reader: createObjectReader(git.sandbox, directory),
    sizes: createObjectReader(git.sandbox, directory, 'sizes'),
    clock,
    random,
    log,
    rules: { ...CONTENT_RULES, ...options.rules },
    diffEngine: options.diffEngine ?? true,
    originDirectories: createOriginDirectories(clock),
    failpoint: options.failpoint ?? NO_FAILPOINT,
    fresh: new Set(),
    lately: new Map(),
    catchingUp: new Map(),
    writing: createMutex(),
  };
}

/** Paths come from our own layers, but end up in files that git reads line by line. */
function checkedPath(path: string): string {
  if (/^(\/[^/\u0000-\u001f]+)+$/.test(path) && !/\/\.\.?(\/|$)/.test(path)) return path;
  throw gitError('INTERNAL', `not a plain absolute path: ${JSON.stringify(path)}`);
}

function notOurs(directory: string) {
  return gitError('NOT_OUR_WORK_TREE', `${directory} is no work tree of this store`);
}
