import { type Refused, refuse, shown } from './refusal.ts';
import type { CommitId } from './values.ts';

/**
 * A commit by its full name and by one spelling of it: 40 lower-case hex digits, or 64 in a sha256 repository. Branches,
 * tags and short ids are resolved before they come here; that such a commit exists is for git/ to find out.
 */
export function parseCommitId(text: string): { ok: true; commitId: CommitId } | Refused {
  if (isCommitId(text)) return { ok: true, commitId: text };
  const why = /^0+$/.test(text) ? 'the all-zero id names no commit' : `${shown(text)} is not a full commit id`;
  return refuse('COMMIT', `commitId: ${why}`);
}

export function isCommitId(text: string): text is CommitId {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text) && !/^0+$/.test(text);
}
