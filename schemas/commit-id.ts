import { type Refused, refuse, shown } from './refusal.ts';
import type { CommitId } from './values.ts';

/**
 * A commit by its full name in one spelling: 40 lower-case hex digits, or 64 in a sha256 repository. Branches, tags and
 * abbreviated ids are resolved before this. git/ finds out whether such a commit exists.
 */
export function parseCommitId(text: string): { ok: true; commitId: CommitId } | Refused {
  if (isCommitId(text)) return { ok: true, commitId: text };
  const why = /^0+$/.test(text) ? 'the all-zero id names no commit' : `${shown(text)} is not a full commit id`;
  return refuse('COMMIT', `commitId: ${why}`);
}

export function isCommitId(text: string): text is CommitId {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text) && !/^0+$/.test(text);
}
