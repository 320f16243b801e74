import type { CommitId } from '../../schemas/values.ts';
import { isNoSpace } from '../run/errors.ts';
import type { Fetcher } from './fetch-command.ts';
import type { Repository } from './repository.ts';
import { removeStaleOfFetch } from './stale-files.ts';

/** Branches and tags of which a fetch also asks where they are. */
export interface AskedTips {
  /** Full names, from the settings. */
  readonly refs: readonly string[];
  /** Called with those of `refs` that are at `commitId`. */
  readonly found: (commitId: CommitId, refs: readonly string[]) => void;
}

/**
 * Fetches one commit, and in the same request the tips of some branches and tags. So the usual question, whether the
 * commit is the tip of a branch, costs no second connection. If the server lacks one of the refs or gives no exact
 * commits, or if a tip is what no store takes, the commit is fetched without them. What came with the tips is dropped by the next clean-up.
 */
export async function fetchWithTips(
  repository: Pick<Repository, 'git' | 'directory'>,
  { commitId, tips }: { readonly commitId: CommitId; readonly tips?: AskedTips | undefined },
  fetch: Fetcher,
): Promise<void> {
  const pin = `+${commitId}:refs/pins/${commitId}`;
  const refs = tips?.refs ?? [];
  const isAnswered =
    refs.length > 0 &&
    (await isFetched(repository.directory, fetch, [pin, ...refs.map((ref, at) => `+${ref}:${TIPS}${at}`)]));
  if (!isAnswered) return await fetch(['--depth=1'], [pin]);
  tips?.found(commitId, await takeTips(repository, commitId, refs));
}

const TIPS = 'refs/tips/';

const isFetched = (store: string, fetch: Fetcher, refspecs: readonly string[]): Promise<boolean> =>
  fetch(['--depth=1'], refspecs).then(
    () => true,
    async (error: { code?: unknown }) => {
      if (!MAY_BE_THE_TIPS.has(error.code) && !isNoSpace(error)) throw error;
      await removeStaleOfFetch(store);
      return false;
    },
  );

/** Failures for which the objects of a tip may be to blame, and not the wanted commit. */
const MAY_BE_THE_TIPS = new Set<unknown>(['COMMIT_NOT_FOUND', 'BAD_OBJECTS', 'TOO_LARGE', 'NO_MEMORY']);

/** Reads the tips and removes them: they count for the fetch that brought them. */
async function takeTips(
  { git, directory }: Pick<Repository, 'git' | 'directory'>,
  commitId: CommitId,
  refs: readonly string[],
): Promise<string[]> {
  const format = '--format=%(refname) %(objectname) %(*objectname)';
  const said = await git.output(['for-each-ref', format, TIPS], { gitDir: directory });
  const tips = said.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ')]));
  const input = tips.map(([name]) => `delete ${name}\n`).join('');
  await git.output(['update-ref', '--stdin'], { gitDir: directory, input });
  const isAt = ([name, id, peeled]: readonly string[], at: number) =>
    name === `${TIPS}${at}` && (id === commitId || peeled === commitId);
  return refs.filter((_, at) => tips.some((tip) => isAt(tip, at)));
}
