import { visible } from '../../runtime/safe-text.ts';
import type { CommitId } from '../../schemas/values.ts';
import { checkedCommitId } from '../run/commit-id.ts';

/**
 * How the commits of one repository are related: a person's clone, or the repository that receives pushes. It reads
 * history and nothing else. Never throws: what the repository cannot tell is null or left out.
 */
export interface CommitGraph {
  /** At most 50 commits reachable from `to` and not from `from`, newest first; empty if `from` or `to` is missing. */
  titles(from: CommitId, to: CommitId): Promise<CommitTitle[]>;
  /**
   * `ahead`: how many commits `to` has that `from` lacks; `behind`: the reverse. Null if the repository lacks one of
   * the two or its history is cut.
   */
  compare(from: CommitId, to: CommitId): Promise<{ ahead: number; behind: number } | null>;
  /**
   * Which of `candidates` are `tip` or one of its ancestors. Null if unknown: `tip` is missing, or the history is cut
   * and may hide a candidate.
   */
  containedIn(tip: CommitId, candidates: readonly CommitId[]): Promise<CommitId[] | null>;
  /**
   * Whether the commit, or the tag `ref`, carries an SSH signature, valid or not. Null if unknown: the repository lacks
   * the commit, or has neither a tag nor a branch `ref`.
   */
  hasSignature(commitId: CommitId, ref: string | null): Promise<boolean | null>;
}

export interface CommitTitle {
  readonly commitId: CommitId;
  readonly title: string;
}

const SIGNED = /^gpgsig(?:-sha256)? -----BEGIN SSH SIGNATURE-----$/m;

/** The walk gives up at this many commits outside the tip's history. */
const MAX_WALKED = 100_000;

/** @param ask runs git in the repository and returns its output. Rejects if git fails. */
export function commitGraph(ask: (args: readonly string[]) => Promise<string>): CommitGraph {
  const lines = async (...args: string[]) => (await ask(args)).split('\n').filter((line) => line !== '');
  const isWhole = async () => /^false/.test(await ask(['rev-parse', '--is-shallow-repository']));

  async function reached(tip: CommitId, candidates: readonly CommitId[]): Promise<CommitId[] | null> {
    const ids = candidates.map(checkedCommitId);
    // In a complete history, a missing commit is no ancestor of an existing one.
    const there = await lines('rev-list', '--no-walk', '--ignore-missing', '--end-of-options', ...ids);
    const known = ids.filter((id) => there.includes(id));
    const walk = ['rev-list', `--max-count=${MAX_WALKED}`, '--end-of-options', ...known, `^${checkedCommitId(tip)}`];
    const beside = new Set(known.length === 0 ? await lines('rev-list', '--max-count=1', tip) : await lines(...walk));
    if (beside.size >= MAX_WALKED) return null;
    const found = known.filter((id) => !beside.has(id));
    return found.length === ids.length || (await isWhole()) ? found : null;
  }

  return {
    async titles(from, to) {
      const range = `${checkedCommitId(from)}..${checkedCommitId(to)}`;
      const said = await lines('log', '--format=%H %s', '--max-count=50', '--end-of-options', range).catch(() => []);
      return said
        .filter((line) => /^[0-9a-f]{40,64} /.test(line))
        .map((line) => ({
          commitId: line.slice(0, line.indexOf(' ')) as CommitId,
          title: visible(line.slice(line.indexOf(' ') + 1), 200),
        }));
    },

    async compare(from, to) {
      const range = `${checkedCommitId(from)}...${checkedCommitId(to)}`;
      const said = await ask(['rev-list', '--left-right', '--count', '--end-of-options', range]).catch(() => '');
      const counts = /^(\d+)\s+(\d+)/.exec(said);
      if (!counts) return null;
      const [behind, ahead] = [Number(counts[1]), Number(counts[2])];
      // In a cut history, commits behind the cut look as if they never existed.
      if (behind > 0 && !(await isWhole().catch(() => false))) return null;
      return { ahead, behind };
    },

    async hasSignature(commitId, ref) {
      const said = (...args: string[]) => ask(args).catch(() => null);
      const raw = await said('cat-file', 'commit', checkedCommitId(commitId));
      if (raw === null) return null;
      if (SIGNED.test(raw.split('\n\n', 1)[0] ?? '')) return true;
      if (ref === null || ref.startsWith('refs/heads/')) return false;
      const name = ref.replace(/^refs\/tags\//, '');
      const tag = await said('cat-file', 'tag', `refs/tags/${name}`);
      if (tag !== null) return tag.includes('\n-----BEGIN SSH SIGNATURE-----\n');
      return (await said('rev-parse', '--verify', '--quiet', `refs/heads/${name}`)) === null ? null : false;
    },

    containedIn: (tip, candidates) => reached(tip, candidates).catch(() => null),
  };
}
