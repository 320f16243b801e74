import { dirname, join } from 'node:path';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { createMutex } from '../runtime/mutex.ts';
import type { CommitId, Credential, RepositoryUrl } from '../schemas/values.ts';
import { createLocalCopy } from './local-copy/copy-change.ts';
import { CONTENT_RULES, type ContentRules } from './objects/content.ts';
import type { Difference } from './objects/difference.ts';
import { createObjectReader } from './objects/object-reader.ts';
import { recover } from './recover.ts';
import { cameFrom, isSignedFor } from './repository/commit-origin.ts';
import { fetchCommit } from './repository/fetch.ts';
import { clearingUp, fetcher } from './repository/fetch-command.ts';
import { gc } from './repository/gc.ts';
import { findRef } from './repository/history.ts';
import { createDoubting, markSuspect, suspicionOf } from './repository/replace-store.ts';
import { isPinned, notHere, pinnedNames, unpin } from './repository/repository.ts';
import { fetchTagObject } from './repository/tag-object.ts';
import { takeBundle } from './repository/take-bundle.ts';
import { checkedCommitId } from './run/commit-id.ts';
import { accessTo } from './run/credentials.ts';
import { FETCH_LIMITS, type FetchLimits } from './run/deadline.ts';
import { gitError, isNoSpace } from './run/errors.ts';
import { type GitFailpoint, NO_GIT_FAILPOINT } from './run/failpoints.ts';
import { marksOf } from './run/orphans.ts';
import { createGit } from './run/process.ts';
import type { Store } from './store.ts';
import { createContentsMemory } from './worktree/contents-memory.ts';
import { undeletableIn } from './worktree/discard.ts';
import { inspectWorkTree } from './worktree/inspect.ts';
import { type OpenSpare, openSpare } from './worktree/open-spare.ts';
import { restoreFiles } from './worktree/restore-files.ts';
import {
  allWorkTrees,
  attachWorkTree,
  findWorkTree,
  removeWorkTree,
  repairCommon,
  type WorkTree,
} from './worktree/work-tree.ts';

export interface StoreOptions {
  /** `<state>/apps/<app>/store.git`: absolute, without `..`, ours alone. Its parents are made with mode 0700. */
  readonly directory: string;
  /** What the settings grant for a url. Called at each fetch, so that changed settings take effect at once. */
  readonly credentialFor: (url: RepositoryUrl) => Credential | undefined;
  /**
   * Protocols that fetches may use, without the colon. file, http and git only if the settings list a prefix of theirs.
   */
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
  readonly failpoint?: GitFailpoint | undefined;
}

/** Opens the store of one app. Touches no disk: `recover` creates the store and removes what a crash left. */
export function openStore(options: StoreOptions): Store {
  const store = partsOf(options);
  const limits = { ...FETCH_LIMITS, ...options.limits };
  const spares = new Map<string, OpenSpare>();
  /** All writes of refs, packs and the shallow list happen in this turn, so any lock found there is stale. */
  const writing = createMutex();
  const inHistory = createMutex();
  const doubting = createDoubting(store);
  const copyChange = store.diffEngine ? createLocalCopy(store, store.rules, limits.maxBytes) : null;

  const accessOf = (url: RepositoryUrl) => accessTo(url, options.credentialFor(url), options.allowProtocols);

  /** Gives back what is kept only for speed, before a full disk stops a fetch. False: there was nothing. */
  async function discardSpares(): Promise<boolean> {
    const discarded = await Promise.all([...spares.values()].map((spare) => spare.discard()));
    return discarded.some(Boolean);
  }

  function readAhead(commitId: CommitId, difference: Difference | null, signal: AbortSignal): void {
    for (const spare of spares.values()) void spare.readAhead(commitId, signal, difference).catch(() => {});
  }

  async function workTreeAt(directory: string): Promise<WorkTree> {
    const tree = await findWorkTree(store, checkedPath(directory));
    if (tree) {
      await repairCommon(tree);
      return tree;
    }
    throw gitError('NOT_OUR_WORK_TREE', `${directory} is no work tree of this store`);
  }

  /** The next request starts new ones. */
  function closeReaders(): void {
    store.reader.close();
    store.sizes.close();
  }

  return {
    directory: store.directory,
    async has(commitId, url, signedFor) {
      const id = checkedCommitId(commitId);
      if ((await suspicionOf(store)) !== null) return false;
      const counts = async (from: RepositoryUrl) =>
        (await cameFrom(store, id, from)) || (signedFor !== undefined && (await isSignedFor(store, id, from)));
      if (url !== null && !(await counts(url))) return false;
      return isPinned(store, id).catch(async (error: { code?: unknown }) => {
        if (error.code !== 'STORE_BROKEN') throw error;
        await markSuspect(store, error);
        return false;
      });
    },
    async fetch(request, signal) {
      const commitId = checkedCommitId(request.commitId);
      const arrived = (difference: Difference | null) => readAhead(commitId, difference, signal);
      return writing(() => {
        const base = [...spares.values()].find(({ lastProved }) => lastProved !== null)?.lastProved ?? null;
        const ways = { access: accessOf, limits, copy: copyChange, arrived };
        const attempt = () => doubting('fetch', fetchCommit(store, { ...request, commitId, base }, ways, signal));
        return attempt().catch(async (error: unknown) => {
          if (!isNoSpace(error) || !(await discardSpares())) throw error;
          return attempt();
        });
      });
    },
    async findRef(question, signal) {
      const commitId = checkedCommitId(question.commitId);
      const access = await accessOf(question.url);
      const history = { ...store, directory: join(dirname(store.directory), 'history.git'), access, limits };
      return inHistory(() => findRef(history, { ...question, commitId }, signal));
    },
    async readCommit(commitId) {
      const found = await store.reader.read(checkedCommitId(commitId));
      if (found?.type === 'commit') return found.content;
      throw notHere(commitId);
    },
    fetchTag: (url, ref, signal) =>
      writing(async () => {
        const fetch = fetcher(store, url, await accessOf(url), limits, signal);
        return await fetchTagObject(store, ref, clearingUp(store.directory, fetch));
      }),
    async take(request, bundle, signal) {
      const commitId = checkedCommitId(request.commitId);
      const take = () => takeBundle(store, { ...request, commitId }, bundle, signal);
      const passedOver = await doubting('take', writing(take)).catch((error: unknown) => {
        signal.throwIfAborted();
        store.log.warn({ error, commitId }, 'the bundle cannot be used');
        return 'failed' as const;
      });
      if (passedOver === null) readAhead(commitId, null, signal);
      return passedOver;
    },
    unpin: (commitId) => writing(() => unpin(store, checkedCommitId(commitId))),
    pinned: () => pinnedNames(store),
    spare(directory) {
      const path = checkedPath(directory);
      const spare = spares.get(path) ?? openSpare(store, path);
      spares.set(path, spare);
      return {
        ...spare,
        write: (commitId, signal) => doubting('write', spare.write(commitId, signal)),
        verify: (commitId, signal) => doubting('verify', spare.verify(commitId, signal)),
      };
    },
    async inspect(directory, commitId, signal, inspection) {
      const id = checkedCommitId(commitId);
      const tree = await workTreeAt(directory);
      if (!(await isPinned(store, id))) throw notHere(id);
      return doubting('inspect', inspectWorkTree(store, tree, id, signal, inspection));
    },
    async attach(directory, commitId) {
      const path = checkedPath(directory);
      const id = checkedCommitId(commitId);
      await writing(async () => {
        if (!(await findWorkTree(store, path))) await doubting('attach', attachWorkTree(store, path, id));
      });
    },
    async restore(directory, commitId, signal, clean) {
      const id = checkedCommitId(commitId);
      const tree = await workTreeAt(directory);
      await writing(() => doubting('restore', restoreFiles(store.git, tree, id, clean, signal)));
    },
    async undeletable() {
      const trees = [...(await allWorkTrees(store)), ...spares.values()].map(({ directory }) => dirname(directory));
      return (await Promise.all([...new Set(trees)].map(undeletableIn))).flat().toSorted();
    },
    removeWorkTree: (directory) => removeWorkTree(store, checkedPath(directory)),
    recover: () => writing(() => recover(store)),
    tidy: (signal, room) =>
      writing(async () => {
        await gc(store, signal, room);
        closeReaders(); // They keep removed packs open, and so their disk space.
      }),
    close: closeReaders,
  };
}

/** The parts that the rooms of this folder share: a repository, its work trees, the content rules. */
function partsOf(options: StoreOptions) {
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
    failpoint: options.failpoint ?? NO_GIT_FAILPOINT,
    fresh: new Set<CommitId>(),
    soundness: { proved: false, unprovable: false },
    catchingUp: new Map<string, Promise<void>>(),
    contents: createContentsMemory(),
  };
}

/** Paths come from our own layers, but end up in files that git reads line by line. */
function checkedPath(path: string): string {
  if (/^(\/[^/\u0000-\u001f]+)+$/.test(path) && !/\/\.\.?(\/|$)/.test(path)) return path;
  throw gitError('INTERNAL', `not a plain absolute path: ${JSON.stringify(path)}`);
}
