import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import type { ForgeKind } from '../forges/repository.ts';

/** The branch that an installation publishes. */
interface Branch {
  readonly forge: ForgeKind;
  readonly url: string;
  readonly branch: string;
}

/**
 * What a delivery means for one branch. `rings`: it says that the branch moved. `silent`: it is about something else: a
 * ping, another event, repository or branch, or a deletion. `unreadable`: it is no JSON, or not of this forge. Pure. No
 * commit is taken from it: the origin is asked what the branch is.
 */
export type Meaning = 'rings' | 'silent' | 'unreadable';

export function meaningOf({ forge, url, branch }: Branch, event: string | undefined, body: Buffer): Meaning {
  const json = jsonOf(body);
  if (json === undefined) return 'unreadable';
  if (event !== PUSHES[forge]) return 'silent';
  const push = READ[forge]().safeParse(json);
  if (!push.success) return 'unreadable';
  const { path, refs } = push.data;
  const isOurs = path.toLowerCase() === pathOf(url);
  return isOurs && refs.includes(`refs/heads/${branch}`) ? 'rings' : 'silent';
}

/** The header that names the event. */
export const EVENT_HEADER: Readonly<Record<ForgeKind, string>> = {
  github: 'x-github-event',
  gitlab: 'x-gitlab-event',
  gitea: 'x-gitea-event',
  bitbucket: 'x-event-key',
};

const PUSHES: Readonly<Record<ForgeKind, string>> = {
  github: 'push',
  gitlab: 'Push Hook',
  gitea: 'push',
  bitbucket: 'repo:push',
};

interface Push {
  /** `owner/name` of the repository. */
  readonly path: string;
  /** The refs that now have a commit. */
  readonly refs: readonly string[];
}

const text = () => z.string().max(1_000);
/** GitHub, Gitea and Forgejo. A deletion has a commit of zeros. */
const hubPush = once(() =>
  z
    .object({
      ref: text(),
      after: text(),
      deleted: z.boolean().optional(),
      repository: z.object({ full_name: text() }),
    })
    .transform(
      ({ ref, after, deleted, repository }): Push => ({
        path: repository.full_name,
        refs: deleted || isNothing(after) ? [] : [ref],
      }),
    ),
);
const gitlabPush = once(() =>
  z
    .object({ ref: text(), after: text(), project: z.object({ path_with_namespace: text() }) })
    .transform(
      ({ ref, after, project }): Push => ({ path: project.path_with_namespace, refs: isNothing(after) ? [] : [ref] }),
    ),
);
const bitbucketPush = once(() => {
  const change = z.object({ new: z.object({ type: text(), name: text() }).nullish() });
  return z
    .object({ repository: z.object({ full_name: text() }), push: z.object({ changes: z.array(change).max(1_000) }) })
    .transform(
      ({ repository, push }): Push => ({
        path: repository.full_name,
        refs: push.changes.flatMap((each) => (each.new?.type === 'branch' ? [`refs/heads/${each.new.name}`] : [])),
      }),
    );
});

const READ: Readonly<Record<ForgeKind, () => z.ZodType<Push>>> = {
  github: hubPush,
  gitlab: gitlabPush,
  gitea: hubPush,
  bitbucket: bitbucketPush,
};

const isNothing = (commitId: string): boolean => /^0+$/.test(commitId);

/** Forges do not tell names by their case. */
const pathOf = (url: string): string =>
  decodeURI(URL.canParse(url) ? new URL(url).pathname : '')
    .replace(/^\/+|(\.git)?\/*$/g, '')
    .toLowerCase();

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
