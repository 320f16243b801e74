/**
 * Links from a commit to the page of its forge. Made only for https addresses of this form: host, path, commit; so no
 * value of a znode can become a link that runs code or leads to another scheme. Not promised: that the page exists.
 */

/** What an operator sets for a forge of his own: urls that begin with `prefix` have these pages. */
export interface ForgeLinks {
  readonly prefix: string;
  /** With `{path}` and `{commit}`. */
  readonly commit: string;
  /** With `{path}`, `{from}` and `{to}`; null: it has none. */
  readonly compare: string | null;
}

const PUBLIC: readonly ForgeLinks[] = [
  forge('github.com', 'commit/{commit}', 'compare/{from}...{to}'),
  forge('gitlab.com', '-/commit/{commit}', '-/compare/{from}...{to}'),
  forge('codeberg.org', 'commit/{commit}', 'compare/{from}...{to}'),
  forge('bitbucket.org', 'commits/{commit}', 'branches/compare/{to}..{from}'),
];

function forge(host: string, commit: string, compare: string): ForgeLinks {
  const page = `https://${host}/{path}`;
  return { prefix: `https://${host}/`, commit: `${page}/${commit}`, compare: `${page}/${compare}` };
}

/** Null: the forge is not known, or what is given is no commit. */
export const commitLink = (url: string, commitId: string, own: readonly ForgeLinks[]): string | null =>
  filled(url, own, (links) => links.commit, { commit: commitId });

/** The page that shows what changed between two commits. */
export const compareLink = (url: string, from: string, to: string, own: readonly ForgeLinks[]): string | null =>
  from === to ? null : filled(url, own, (links) => links.compare, { from, to });

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const PATH = /^[A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+)+$/;

function filled(
  url: string,
  own: readonly ForgeLinks[],
  pick: (links: ForgeLinks) => string | null,
  commits: Readonly<Record<string, string>>,
): string | null {
  if (!Object.values(commits).every((each) => COMMIT.test(each))) return null;
  const address = webAddress(url);
  const links = [...own, ...PUBLIC].find(({ prefix }) => address.startsWith(prefix));
  const template = links ? pick(links) : null;
  if (!links || !template?.startsWith('https://')) return null;
  const path = address.slice(links.prefix.length);
  if (!PATH.test(path) || path.split('/').some((part) => part === '.' || part === '..')) return null;
  return Object.entries({ path, ...commits }).reduce(
    (text, [name, value]) => text.replaceAll(`{${name}}`, value),
    template,
  );
}

/** `ssh://git@host/a/b.git` and `git@host:a/b.git` are on the web at `https://host/a/b`. */
function webAddress(url: string): string {
  const ssh =
    /^ssh:\/\/(?:[^/@\s]*@)?([^/:\s]+)(?::\d+)?\/(.+)$/.exec(url) ?? /^[^/@\s]+@([^/:\s]+):(?!\/)(.+)$/.exec(url);
  const address = ssh ? `https://${ssh[1]}/${ssh[2]}` : url;
  return address.replace(/\/+$/, '').replace(/\.git$/, '');
}
