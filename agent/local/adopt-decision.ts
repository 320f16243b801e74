import type { ForeignRepository } from '../../git/host/foreign-clone.ts';
import { clean } from '../../runtime/safe-text.ts';
import { type Refused, refuse } from '../../schemas/refusal.ts';
import { parseUrl } from '../../schemas/url.ts';
import type { CommitId, RelativePath, RepositoryUrl } from '../../schemas/values.ts';

/** What is at the place where our link has to go (adopt-inspection.ts). */
export type Found =
  | { readonly kind: 'nothing'; readonly asideTaken: boolean }
  | { readonly kind: 'ours'; readonly commitId: CommitId }
  | { readonly kind: 'file' }
  | {
      readonly kind: 'directory';
      /** Null: no `.git` directory of its own. */
      readonly repository: ForeignRepository | null;
      /** Files that differ from its HEAD. */
      readonly differing: readonly string[];
      /** The name that the directory would get is taken. */
      readonly asideTaken: boolean;
    }
  | {
      readonly kind: 'link';
      /** As written in the link. */
      readonly leadsTo: string;
      /** The directory that it leads to, resolved; null if it leads to none. */
      readonly directory: string | null;
      /** It leads into our own `.gitfleet`. */
      readonly reserved: boolean;
      /** From REVISION, else from the HEAD of its `.git`. */
      readonly commitId: CommitId | null;
      /** From the mirror beside `releases`, else from its own `.git`. */
      readonly originUrl: string | null;
    };

/** What to take over, and how. */
export interface Adoption {
  readonly commitId: CommitId;
  readonly url: RepositoryUrl;
  readonly from:
    | {
        readonly kind: 'directory';
        /** Whether the directory is a clone of exactly this url, so that the commit may come from the directory. */
        readonly isOfUrl: boolean;
      }
    | { readonly kind: 'link'; readonly leadsTo: string; readonly directory: string };
}

export interface AdoptWish {
  readonly relativePath: RelativePath;
  /** The url that a person named; null: the one that is found there. */
  readonly url: string | null;
  readonly allowUrls: readonly string[];
}

/** The suffix of a directory that we took over. */
export const BEFORE = '.before-gitfleet';

/**
 * Whether what was found may be taken over: a clean clone, or another tool's link to a release whose commit is known,
 * each from a url that the settings allow. Everything else is refused. Pure; adopt.ts decides again right before it
 * acts.
 */
export function decideAdoption(found: Found, wish: AdoptWish): { ok: true; adoption: Adoption } | Refused {
  const path = wish.relativePath;
  switch (found.kind) {
    case 'nothing': {
      const hint = found.asideTaken
        ? `${path}${BEFORE} is there: an adoption was cut short; rename it back and adopt again`
        : 'publish to this path instead; the agent makes the link';
      return refuse('NOTHING_THERE', `nothing is at ${path}`, hint);
    }
    case 'ours':
      return refuse('ALREADY_OURS', `${path} is a link of ours and shows ${found.commitId}`);
    case 'file':
      return refuse('OCCUPIED', `${path} is neither a directory nor a link`, 'move it away; it was not touched');
    case 'directory':
      return decideDirectory(found, wish);
    case 'link':
      return decideLink(found, wish);
  }
}

function decideDirectory(found: Extract<Found, { kind: 'directory' }>, wish: AdoptWish): Decision {
  const path = wish.relativePath;
  const { repository, differing } = found;
  if (repository === null) {
    return refuse('NOT_A_CLONE', `${path} has no .git directory of its own`);
  }
  if (repository.head === null)
    return refuse(
      'NO_COMMIT',
      `HEAD of ${path} names no commit`,
      'move it away, then publish to this path; it was not touched',
    );
  const url = urlOf(repository.originUrl, wish);
  if (!url.ok) return url;
  if (differing.length > 0) {
    const more = differing.length > MAX_NAMES ? ` and ${differing.length - MAX_NAMES} more` : '';
    const reason = `${path} is not just its commit: ${differing.slice(0, MAX_NAMES).map(quoted).join(', ')}${more}`;
    return refuse('NOT_CLEAN', reason);
  }
  if (found.asideTaken) {
    return refuse('ASIDE_TAKEN', `${path}${BEFORE} is there already`);
  }
  const origin = parseUrl(repository.originUrl ?? '', { allow: wish.allowUrls });
  const isOfUrl = origin.ok && origin.url === url.url;
  return { ok: true, adoption: { commitId: repository.head, url: url.url, from: { kind: 'directory', isOfUrl } } };
}

function decideLink(found: Extract<Found, { kind: 'link' }>, wish: AdoptWish): Decision {
  const { leadsTo, directory, commitId } = found;
  const what = `${wish.relativePath} is a link to ${quoted(leadsTo)}`;
  if (directory === null) return refuse('FOREIGN_LINK', `${what}, which is no directory`);
  if (found.reserved) return refuse('FOREIGN_LINK', `${what}, in the agent's own directory`);
  if (commitId === null) {
    const hint = 'let a file REVISION there hold the full commit id, or remove the link and publish';
    return refuse('NO_COMMIT', `${what}, which names its commit neither in REVISION nor in a .git`, hint);
  }
  const url = urlOf(found.originUrl, wish);
  if (!url.ok) return url;
  return { ok: true, adoption: { commitId, url: url.url, from: { kind: 'link', leadsTo, directory } } };
}

type Decision = ReturnType<typeof decideAdoption>;

const MAX_NAMES = 5;
const quoted = (name: string) => JSON.stringify(clean(name).slice(0, 60));

/**
 * A url that a person named takes precedence over the one in a foreign config. Either must be below a prefix of the
 * settings.
 */
function urlOf(origin: string | null, wish: AdoptWish): { ok: true; url: RepositoryUrl } | Refused {
  const text = wish.url ?? origin;
  if (text === null) {
    return refuse('NO_URL', 'nothing there says which repository it came from');
  }
  const parsed = parseUrl(text, { allow: wish.allowUrls });
  if (parsed.ok || wish.url !== null) return parsed;
  const { code, reason, hint } = parsed.failure;
  return refuse(code, `its origin: ${reason}`, `${hint}; or name the repository as agents reach it with --url`);
}
