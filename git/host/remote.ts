import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { type RunResult, run } from '../../runtime/process.ts';
import { clean, visible } from '../../runtime/safe-text.ts';
import { shellWord } from '../../runtime/shell-word.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { checkedCommitId, objectFormatOf } from '../run/commit-id.ts';
import { gitError, gitFailure } from '../run/errors.ts';
import { type CommitGraph, commitGraph } from './commit-graph.ts';
import { forPublisher } from './publisher-hints.ts';
import { sawBranch } from './seen-branch.ts';
import { networkEnvironment, type UserEnvironment, userGit } from './user-git.ts';

/**
 * What a publisher needs from git: the commit behind a name, whether a server has a commit, where a clone came from,
 * what changed between two commits. Git runs as the person or hook that publishes, with their configuration and
 * credentials (ssh agent, credential helpers), but never prompts and never writes into their repository.
 */
export interface Remote {
  /** The commit that `rev` names in the clone at `where`, or at the url `where`. */
  resolveRef(where: string, rev: string, signal?: AbortSignal): Promise<CommitId>;
  /**
   * `tip`: a branch or tag points at it. `has`: the server serves it although no ref points at it. `absent`: the server
   * says that it has no such object. `unknown`: the server serves only advertised commits, and this is not one of them.
   */
  has(url: RepositoryUrl, commitId: CommitId, signal?: AbortSignal): Promise<'tip' | 'has' | 'absent' | 'unknown'>;
  /** The commits at these refs; an annotated tag counts as its commit. Null for a ref that the server does not have. */
  tips(url: RepositoryUrl, refs: readonly string[]): Promise<readonly (string | null)[]>;
  /**
   * The fetch url of the upstream or `origin` of the clone at `directory`: as written, so check it; or as git resolves
   * it, if it becomes a url only through the user's `insteadOf`. Null: there is no clone, or it has no origin.
   * @throws FleetError CLONE_OWNER if git refuses to read the clone.
   */
  inferUrl(directory: string): Promise<string | null>;
  /**
   * The url as `inferUrl` gives it, if that repository need not be asked for the commit, because a push or a fetch of
   * the clone saw it there a moment ago, as the tip of a branch. Otherwise null.
   */
  seenAt(directory: string, commitId: CommitId): Promise<string | null>;
  /** How the commits of the clone at `directory` are related. */
  graph(directory: string): CommitGraph;
  /**
   * A local or remote-tracking branch of the clone that contains the commit: the one called `branch`, or any if
   * `branch` is null. Null if there is none or the clone lacks the commit.
   */
  branchWith(directory: string, commitId: CommitId, branch: string | null): Promise<string | null>;
  /** The title of one commit of the clone; empty if the clone lacks it. */
  title(directory: string, commitId: CommitId): Promise<string>;
}

interface RemoteOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The environment of the publisher. */
  readonly env: UserEnvironment;
  readonly timeoutMs?: number | undefined;
}

export function createRemote(options: RemoteOptions): Remote {
  const local = (directory: string) => userGit(directory, options.env);

  async function ask(args: readonly string[], url: string, signal: AbortSignal | undefined, gitDir?: string) {
    const result = await run(['git', ...(gitDir === undefined ? [] : [`--git-dir=${gitDir}`]), ...args], {
      env: networkEnvironment(options.env, url),
      clock: options.clock,
      timeoutMs: options.timeoutMs ?? 30_000,
      ...(signal ? { signal } : {}),
      maxBytes: 64 * 1024 * 1024,
      maxMemoryBytes: () => 512 * 1024 ** 2,
      keep: 'all',
    });
    options.log.debug({ git: args[0], exitCode: result.exitCode, ended: result.ended }, 'git ran');
    if (result.ended === 'abort') throw signal?.reason;
    return result;
  }

  async function advertised(url: string, signal: AbortSignal | undefined): Promise<Map<string, string>> {
    const said = await ask(['ls-remote', '--quiet', '--', url], url, signal);
    if (said.exitCode !== 0) throw notAnswered(said, url);
    const lines = said.stdout.toString('utf8').split('\n').filter(Boolean);
    return new Map(lines.map((line) => [line.slice(line.indexOf('\t') + 1), line.slice(0, line.indexOf('\t'))]));
  }

  /**
   * Whether a branch and a tag share the name but not the commit. Git itself takes the tag, with a warning that is not
   * shown here.
   */
  async function isBranchAndTag(clone: string, typed: string): Promise<boolean> {
    const rev = typed.replace(/(?:[~^]|@\{).*$/, '');
    if (rev === 'HEAD' || rev.startsWith('refs/')) return false;
    const names = [`refs/heads/${rev}`, `refs/tags/${rev}`];
    const format = '--format=%(refname) %(objectname) %(*objectname)';
    // Not through simple-git, which delays commands that print nothing.
    const said = await ask(['-C', clone, 'for-each-ref', format, ...names], '', undefined);
    const lines = said.stdout.toString('utf8').split('\n');
    const found = lines.map((line) => line.split(' ')).filter(([name = '']) => names.includes(name));
    return new Set(found.map(([, object, peeled]) => peeled || object)).size > 1;
  }

  /** The upstream of the branch in the clone, else `origin`. */
  async function remoteOf(directory: string): Promise<{ readonly name: string; readonly url: string } | null> {
    const git = local(directory);
    const config = async (key: string) => (await git.getConfig(key)).value;
    const head = await git.raw('rev-parse', '--abbrev-ref', 'HEAD').catch((error: Error) => {
      if (DUBIOUS.test(error.message)) throw cloneOwner(directory);
      return '';
    });
    const branch = head.trim();
    const upstream = branch === '' || branch === 'HEAD' ? null : await config(`branch.${branch}.remote`);
    for (const name of upstream && upstream !== '.' ? [upstream, 'origin'] : ['origin']) {
      const written = await config(`remote.${name}.url`);
      if (!written) continue;
      if (PLAIN_URL.test(written)) return { name, url: written };
      return { name, url: (await git.raw('ls-remote', '--get-url', name).catch(() => written)).trim() };
    }
    return null;
  }

  return {
    async resolveRef(where, rev, signal) {
      if (isUrl(where)) return chooseRef(await advertised(where, signal), where, rev);
      const args = ['rev-parse', '--verify', '--end-of-options', `${rev}^{commit}`];
      const git = local(where);
      const [said, both] = await Promise.all([
        git.raw(args).catch((error: Error) => {
          throw noSuchRev(where, rev, error);
        }),
        isBranchAndTag(where, rev),
      ]);
      if (both) throw ambiguous(rev, where);
      return checkedCommitId(said.trim());
    },

    async has(url, commitId, signal) {
      if ([...(await advertised(url, signal)).values()].includes(checkedCommitId(commitId))) return 'tip';
      const directory = await mkdtemp(join(tmpdir(), 'gitfleet-ask-'));
      try {
        await ask(
          ['init', '--quiet', '--bare', '--template=', `--object-format=${objectFormatOf(commitId)}`],
          url,
          signal,
          directory,
        );
        const flags = ['--quiet', '--no-tags', '--depth=1', '--filter=tree:0', '--no-write-fetch-head'];
        const said = await ask(['fetch', ...flags, '--', url, commitId], url, signal, directory);
        if (said.exitCode === 0) return 'has';
        const why = notAnswered(said, url);
        if (why.code !== 'COMMIT_NOT_FOUND') throw why;
        return /not our ref/.test(why.message) ? 'absent' : 'unknown';
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },

    async tips(url, refs) {
      const there = await advertised(url, undefined);
      return refs.map((ref) => there.get(`${ref}^{}`) ?? there.get(ref) ?? null);
    },

    inferUrl: async (directory) => (await remoteOf(directory))?.url ?? null,

    async seenAt(directory, commitId) {
      const remote = await remoteOf(directory);
      if (remote === null || !isDistant(remote.url)) return null;
      // Not through simple-git, which delays commands that print nothing.
      const say = async (args: readonly string[]) => {
        const said = await ask(['-C', directory, ...args], '', undefined);
        return said.exitCode === 0 ? said.stdout.toString('utf8').trim() : '';
      };
      const seen = await sawBranch(say, remote.name, checkedCommitId(commitId), options.clock.now());
      return seen ? remote.url : null;
    },

    graph: (directory) => commitGraph((args) => local(directory).raw([...args])),

    async branchWith(directory, commitId, branch) {
      const containing = `--contains=${checkedCommitId(commitId)}`;
      const said = await local(directory)
        .raw(['for-each-ref', '--format=%(refname)', containing, 'refs/heads', 'refs/remotes'])
        .catch(() => '');
      const names = said.split('\n').filter((name) => name !== '' && !/^refs\/remotes\/[^/]+\/HEAD$/.test(name));
      const isAsked = (name: string) => branch === null || branch === shown(name) || branch === bare(name);
      const found = names.find(isAsked);
      return found === undefined ? null : shown(found);
    },

    async title(directory, commitId) {
      const args = ['log', '--format=%s', '--max-count=1', '--end-of-options', checkedCommitId(commitId)];
      const said = await local(directory)
        .raw(args)
        .catch(() => '');
      return visible(said.trim(), 200);
    },
  };
}

/** Git's message, without the part that only says that there is no such commit (`Needed a single revision`). */
function moreWords({ message }: Error): string {
  const words = message.replace(/^fatal: Needed a single revision$/m, '').trim();
  return words === '' ? '' : `: ${clean(words, 200)}`;
}

function noSuchRev(where: string, rev: string, error: Error): FleetError {
  if (DUBIOUS.test(error.message)) return cloneOwner(where);
  const hint = '`git log` in the clone shows what there is; fetch first if it is new';
  return gitError('NO_SUCH_REV', `${JSON.stringify(rev)} names no commit in ${where}${moreWords(error)}`, hint, error);
}

const DUBIOUS = /dubious ownership/;

const cloneOwner = (directory: string): FleetError =>
  gitError(
    'CLONE_OWNER',
    `git does not read ${directory}, because it belongs to another user`,
    `run this as its owner, or once: git config --global --add safe.directory ${shellWord(directory)}`,
  );

/** A remote's url that needs nothing of the user's configuration. */
const PLAIN_URL = /^(https?|ssh|git|file):\/\/|^[^:/]+@[^:/]+:|^[./]/;

function ambiguous(rev: string, where: string): FleetError {
  const hint = `write out which one you mean: refs/heads/${rev} or refs/tags/${rev}`;
  return gitError('AMBIGUOUS_REV', `${JSON.stringify(rev)} is a branch and a tag of ${clean(where)}`, hint);
}

/**
 * `HEAD` and names below `refs/` are taken as they are; otherwise a branch or a tag. An annotated tag means the commit
 * it points at.
 */
function chooseRef(refs: ReadonlyMap<string, string>, url: string, rev: string): CommitId {
  const candidates = rev === 'HEAD' || rev.startsWith('refs/') ? [rev] : [`refs/heads/${rev}`, `refs/tags/${rev}`];
  const there = candidates.filter((name) => refs.has(name));
  const named = there[0];
  if (there.length > 1) throw ambiguous(rev, url);
  if (named === undefined) {
    const reason = `${JSON.stringify(rev)} is no branch or tag of ${clean(url)}`;
    throw gitError('NO_SUCH_REV', reason, '`git ls-remote` shows what there is; a full commit id works too');
  }
  return checkedCommitId(refs.get(`${named}^{}`) ?? refs.get(named) ?? '');
}

function notAnswered(said: RunResult, url: string): FleetError {
  if (said.ended === 'exit')
    return forPublisher(gitFailure('git', { stderr: said.stderr.toString('utf8') }, 'FETCH_FAILED', url));
  const hint = 'check that this machine reaches the git server, and that git is installed';
  return FleetError.of('FETCH_FAILED', `git ended with ${said.ended}`, hint);
}

/** `shown`: as git shows it, `main` or `origin/main`. `bare`: its name in its own repository, `main` for both. */
const shown = (name: string): string => name.replace(/^refs\/(?:heads|remotes)\//, '');
const bare = (name: string): string => name.replace(/^refs\/(?:heads\/|remotes\/[^/]+\/)/, '');

/** Over a network, where a question takes a handshake; a directory on this machine is asked in no time. */
const isDistant = (url: string): boolean => !/^(file:|[./])/.test(url);

const isUrl = (where: string) => /^[a-z][a-z0-9+.-]*:\/\//.test(where);
