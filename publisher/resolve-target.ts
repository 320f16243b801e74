import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SharedState } from '../fleet/shared-state.ts';
import type { Remote } from '../git/remote.ts';
import { classify, FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/log.ts';
import { isCommitId } from '../schemas/commit-id.ts';
import { parseRelativePath } from '../schemas/relative-path.ts';
import { ANY_URL, parseTarget, type Target } from '../schemas/target.ts';
import { parseUrl } from '../schemas/url.ts';
import type { CommitId, RelativePath, RepositoryUrl } from '../schemas/values.ts';

export interface Asked {
  /** A branch, tag, short or full id; null: HEAD of the clone. */
  readonly rev: string | null;
  readonly url: string | null;
  readonly relativePath: string | null;
  /** Whether to ask the repository if it has the commit. */
  readonly check: boolean;
  /** Where the command stands: perhaps a clone. */
  readonly directory: string;
}

export interface Resolved {
  readonly target: Target;
  /** Of the commit, for history; empty where no clone tells it. */
  readonly title: string;
  readonly warning: string | null;
}

/**
 * Turns what a person typed into a full target. With url, path and a full id nothing else is needed, and a clone one
 * happens to stand in is ignored; else the clone gives the url and resolves names, and the current target the path.
 * @throws FleetError REF, URL, PATH, COMMIT_NOT_ON_REMOTE and what git says.
 */
export async function resolveTarget(remote: Remote, state: SharedState, asked: Asked): Promise<Resolved> {
  const current = parseTarget(state.config.data, ANY_URL);
  const rev = asked.rev?.toLowerCase() ?? '';
  const complete = asked.url !== null && isCommitId(rev);
  const url = await repositoryUrl(remote, asked);
  const relativePath = placeOf(asked, current.ok ? current.target : null);
  const commitId = complete ? (rev as CommitId) : await commitOf(remote, asked, url);
  const ref = complete || asked.rev === null || isCommitId(rev) ? undefined : asked.rev;
  const warning = asked.check ? await checkRemote(remote, url, commitId) : null;
  const title = complete ? '' : await titleOf(remote, asked.directory, commitId);
  return { target: { url, commitId, relativePath, ...(ref ? { gitfleet: { ref } } : {}) }, title, warning };
}

async function repositoryUrl(remote: Remote, asked: Asked): Promise<RepositoryUrl> {
  const found = asked.url ?? (await remote.inferUrl(asked.directory).catch(() => null));
  if (!found) {
    throw refusal(
      'URL',
      'this is no clone with an origin, so the repository is unknown',
      'give it: --url https://host/shop.git',
    );
  }
  // git takes a plain path for a repository; agents take urls only.
  const plainPath = isAbsolute(found) || /^\.{1,2}(\/|$)/.test(found);
  const text = plainPath ? pathToFileURL(resolve(asked.directory, found)).href : found;
  const parsed = parseUrl(text, ANY_URL);
  if (!parsed.ok) throw new FleetError(parsed.failure);
  return parsed.url;
}

function placeOf(asked: Asked, current: Target | null): RelativePath {
  const text = asked.relativePath ?? current?.relativePath;
  if (text === undefined) {
    throw refusal(
      'PATH',
      'nothing was published yet, so the place on the servers is unknown',
      'give it: --relative-path shop',
    );
  }
  const parsed = parseRelativePath(text);
  if (!parsed.ok) throw new FleetError(parsed.failure);
  return parsed.relativePath;
}

async function commitOf(remote: Remote, asked: Asked, url: RepositoryUrl): Promise<CommitId> {
  const rev = asked.rev ?? 'HEAD';
  if (rev.startsWith('-') || /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{/.test(rev)) {
    throw refusal(
      'REF',
      `${JSON.stringify(clean(rev, 200))} is no plain branch, tag or commit id`,
      'such as main, v1.2 or 1f2e3d4',
    );
  }
  return await remote.resolveRef(asked.url === null ? asked.directory : url, rev);
}

/** What the server denies is refused; what it does not let us know is the agents' business and only said. */
async function checkRemote(remote: Remote, url: RepositoryUrl, commitId: CommitId): Promise<string | null> {
  let answer: Awaited<ReturnType<Remote['has']>>;
  try {
    answer = await remote.has(url, commitId);
  } catch (error) {
    return `the repository could not be asked (${classify(error).code}); the agents will tell whether they reach it`;
  }
  if (answer === 'absent') {
    throw refusal(
      'COMMIT_NOT_ON_REMOTE',
      `${clean(url)} does not have ${commitId.slice(0, 12)}`,
      'git push it first; or publish with --no-check',
    );
  }
  return answer === 'unknown'
    ? `${commitId.slice(0, 12)} is no branch or tag there, and the server gives nothing else`
    : null;
}

async function titleOf(remote: Remote, directory: string, commitId: CommitId): Promise<string> {
  return await remote.title(directory, commitId).catch(() => '');
}

const refusal = (code: string, reason: string, hint: string): FleetError =>
  new FleetError({ code, reason, hint, next: 'stall' });
