import type { CommitId } from '../../schemas/values.ts';
import { gitError } from './errors.ts';

/**
 * The last check before an id reaches a command line or a path, whatever the layers above promised: only 40 or 64
 * lower-case hex digits, not all zero, pass.
 */
export function checkedCommitId(id: string): CommitId {
  if (isCommitId(id)) return id;
  throw gitError('COMMIT_ID', 'not a full commit id');
}

export const isCommitId = (id: string): id is CommitId =>
  /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(id) && !/^0+$/.test(id);

export type ObjectFormat = 'sha1' | 'sha256';

export function objectFormatOf(id: CommitId): ObjectFormat {
  return id.length === 64 ? 'sha256' : 'sha1';
}
