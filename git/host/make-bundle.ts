import type { CommitId } from '../../schemas/values.ts';
import { checkedCommitId } from '../run/commit-id.ts';
import type { Git } from '../run/process.ts';

/** Where the objects are: a bare repository, or a directory in a clone, whose repository git finds. */
export type PackedFrom = { readonly gitDir: string } | { readonly cwd: string };

/**
 * The objects that `commitId` has and `base` lacks, as a thin pack without history: what a server sends to a store that
 * has the base and fetches this commit at depth 1. How the two are related does not matter.
 *
 * Never throws, except for the signal's reason. Null: the repository lacks one of the two, the pack is larger than
 * `maxBytes`, or git failed.
 */
export async function makeBundle(
  git: Git,
  from: PackedFrom,
  { base, commitId }: { readonly base: CommitId; readonly commitId: CommitId },
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer | null> {
  const tip = checkedCommitId(commitId);
  // A reader counts the objects: neither a bitmap nor the sparse walk may add some that the base has.
  const flags = ['--revs', '--thin', '--shallow', '--no-sparse', '--delta-base-offset', '--threads=1'];
  const input = `--shallow ${tip}\n${tip}\n--not\n${checkedCommitId(base)}\n`;
  const call = { ...from, input, signal, maxBytes, timeoutMs: TIMEOUT_MS };
  const said = await git.run(['pack-objects', '--quiet', '--stdout', ...flags], call).catch((error: unknown) => {
    signal.throwIfAborted();
    git.sandbox.log.debug({ error }, 'no bundle');
    return null;
  });
  return said?.exitCode === 0 && said.stdout.length > 0 ? said.stdout : null;
}

const TIMEOUT_MS = 10_000;
