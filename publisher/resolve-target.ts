import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AgentView } from '../fleet/fleet-view.ts';
import type { SharedState } from '../fleet/shared-state.ts';
import type { Remote } from '../git/host/remote.ts';
import { classify, FleetError } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { isCommitId } from '../schemas/commit-id.ts';
import { parseRelativePath } from '../schemas/relative-path.ts';
import { ANY_URL, type Target } from '../schemas/target.ts';
import { parseUrl } from '../schemas/url.ts';
import type { CommitId, RelativePath, RepositoryUrl } from '../schemas/values.ts';
import { judgeUrl, type UrlVerdict } from './allowed-urls.ts';
import { type Change, readChange } from './change.ts';
import { judgeCommit } from './required-commit.ts';
import { judgeSignature } from './required-signature.ts';

interface Asked {
  /** A branch, tag, short or full id; null: HEAD of the clone. */
  readonly rev: string | null;
  readonly url: string | null;
  readonly relativePath: string | null;
  /** Whether to check that the repository has the commit. */
  readonly check: boolean;
  /** The working directory of the command, which may be a clone. */
  readonly directory: string;
  readonly agents: () => Promise<readonly AgentView[]>;
  /** Whom the target is signed for; null: it is not signed. */
  readonly audience: string | null;
}

export interface Resolved {
  readonly target: Target;
  /** The commit's title, for history; empty if no clone knows it. */
  readonly title: string;
  readonly warnings: readonly string[];
  /**
   * Set if the target must not be published: the server has no such commit or repository, or no agent may fetch from
   * it.
   */
  readonly refusal: FleetError | null;
  readonly change: Change;
}

/**
 * Turns what a person typed into a full target. With a url and a full id, the clone in the working directory is
 * ignored. Otherwise the given url resolves names, or the clone if there is none. A url or path that was not given
 * comes from the current target, so an app changes its repository only on request; the first target gets the url of the
 * clone's upstream or origin. Writes nothing: both `plan` and `publish` begin here.
 * @throws FleetError REF, URL, PATH, and git's failures.
 */
export async function resolveTarget(remote: Remote, state: SharedState, asked: Asked): Promise<Resolved> {
  const current = state.config.target;
  const rev = asked.rev?.toLowerCase() ?? '';
  const complete = asked.url !== null && isCommitId(rev);
  const url = asked.url === null && current ? current.url : await repositoryUrl(remote, asked);
  const relativePath = placeOf(asked, current);
  const commitId = complete ? (rev as CommitId) : await commitOf(remote, asked, url);
  const ref = complete || asked.rev === null || isCommitId(rev) || isRelative(rev) ? undefined : asked.rev;
  const from = current?.commitId ?? null;
  const clone = complete ? null : asked.directory;
  const moves = asked.check && url !== current?.url;
  const asks = asked.check && !(await isKnownThere(remote, asked, url, commitId));
  const facts = {
    tips: (refs: readonly string[]) => remote.tips(url, refs),
    graph: clone === null ? null : remote.graph(clone),
  };
  const commit = { url, commitId, signs: asked.audience !== null, ref: ref ?? null };
  const [checked, allowed, signed, accepted, title, change] = await Promise.all([
    asks ? checkRemote(remote, url, commitId, () => otherOrigin(remote, asked, url)) : NOT_CHECKED,
    moves ? asked.agents().then((fleet) => judgeUrl(fleet, url)) : NOT_CHECKED,
    asked.check ? asked.agents().then((fleet) => judgeSignature(fleet, asked.audience)) : NOT_CHECKED,
    asked.check ? asked.agents().then((fleet) => judgeCommit(fleet, commit, facts)) : NOT_CHECKED,
    clone === null ? '' : titleOf(remote, clone, commitId),
    readChange(facts.graph, from, commitId),
  ]);
  const target = { url, commitId, relativePath, ...(ref ? { gitfleet: { ref } } : {}) };
  const verdicts = [allowed, signed, accepted, checked];
  const warnings = verdicts.flatMap(({ warning }) => warning ?? []);
  const refusal = verdicts.find((each) => each.refusal !== null)?.refusal ?? null;
  return { target, title, change, warnings, refusal };
}

const NOT_CHECKED: UrlVerdict = { warning: null, refusal: null };

/**
 * Whether the repository need not be asked for the commit: it has just told what the name stands for, or the clone saw
 * the commit there a moment ago.
 */
async function isKnownThere(remote: Remote, asked: Asked, url: RepositoryUrl, commitId: CommitId): Promise<boolean> {
  if (asked.url !== null) return asked.rev === null || !isCommitId(asked.rev.toLowerCase());
  const seen = await remote.seenAt(asked.directory, commitId).catch(() => null);
  const parsed = seen === null ? null : inOneSpelling(seen, asked.directory);
  return parsed?.ok === true && parsed.url === url;
}

/** The url of the clone's origin, if it differs from the app's repository and no url was given. */
async function otherOrigin(remote: Remote, asked: Asked, url: RepositoryUrl): Promise<RepositoryUrl | null> {
  if (asked.url !== null) return null;
  const origin = await repositoryUrl(remote, asked).catch(() => null);
  return origin === url ? null : origin;
}

async function repositoryUrl(remote: Remote, asked: Asked): Promise<RepositoryUrl> {
  const found = asked.url ?? (await remote.inferUrl(asked.directory));
  if (!found) {
    throw FleetError.of(
      'URL',
      'this is no clone with an origin, so the repository is unknown',
      'give it: --url https://host/shop.git',
    );
  }
  const parsed = inOneSpelling(found, asked.directory);
  if (!parsed.ok) throw new FleetError(parsed.failure);
  return parsed.url;
}

function inOneSpelling(written: string, directory: string): ReturnType<typeof parseUrl> {
  // Git accepts a plain path as a repository; agents accept only urls.
  const plainPath = isAbsolute(written) || /^\.{1,2}(\/|$)/.test(written);
  const text = plainPath ? pathToFileURL(resolve(directory, written)).href : written;
  return parseUrl(text, ANY_URL);
}

function placeOf(asked: Asked, current: Target | null): RelativePath {
  const text = asked.relativePath ?? current?.relativePath;
  if (text === undefined) {
    throw FleetError.of(
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
  // `^main` means what main does not contain, of which git gives an id with a `^` before it.
  if (/^[-^]/.test(rev) || /[\u0000-\u0020\u007f:?*[\\]|\.\./.test(rev)) {
    throw FleetError.of(
      'REF',
      `"${visible(rev, 200)}" is no branch, tag, commit id or revision`,
      'such as main, v1.2, 1f2e3d4 or HEAD~1',
    );
  }
  if (asked.url !== null && isRelative(rev)) {
    throw FleetError.of(
      'REF',
      `"${visible(rev, 200)}" counts from another commit, which only a clone can do`,
      'with --url, give a branch, a tag or a full commit id',
    );
  }
  return await remote.resolveRef(asked.url === null ? asked.directory : url, rev);
}

/** `HEAD~1`, `v1^{}`, `main@{1}`: names no ref, but a commit relative to one. */
const isRelative = (rev: string): boolean => /[~^]|@\{/.test(rev);

/**
 * Refuses what the server denies having. If the server does not say, warns only, and leaves it to the agents.
 * @param elsewhere gives the clone's origin, if that is another repository.
 */
async function checkRemote(
  remote: Remote,
  url: RepositoryUrl,
  commitId: CommitId,
  elsewhere: () => Promise<RepositoryUrl | null>,
): Promise<UrlVerdict> {
  let answer: Awaited<ReturnType<Remote['has']>>;
  try {
    answer = await remote.has(url, commitId);
  } catch (error) {
    const { code, message } = classify(error);
    if (code === 'REPOSITORY_NOT_FOUND') {
      const hint = `${NOT_FOUND_HINT}${moveHint(await elsewhere())}`;
      return { warning: null, refusal: FleetError.of(code, message, hint) };
    }
    const why = `${code}: ${visible(message, 300)}`;
    return {
      warning: `the repository could not be asked (${why}); the agents will tell whether they reach it`,
      refusal: null,
    };
  }
  const short = commitId.slice(0, 12);
  if (answer === 'absent') {
    const reason = `${visible(url)} does not have ${short}`;
    const hint = `git push it first; or publish with --no-check${moveHint(await elsewhere())}`;
    return { warning: null, refusal: FleetError.of('COMMIT_NOT_ON_REMOTE', reason, hint) };
  }
  const unsure = answer === 'unknown' ? `${short} is no branch or tag there, and the server gives nothing else` : null;
  return { warning: unsure, refusal: null };
}

const moveHint = (origin: RepositoryUrl | null): string =>
  origin === null ? '' : `; to change the app to the repository of this clone: --url ${visible(origin)}`;

const NOT_FOUND_HINT =
  'check the url; some servers also say this where your credentials may not see it: if those of the agents may, publish with --no-check';

async function titleOf(remote: Remote, directory: string, commitId: CommitId): Promise<string> {
  return await remote.title(directory, commitId).catch(() => '');
}
