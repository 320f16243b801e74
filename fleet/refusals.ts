import { FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/log.ts';
import { parseHold, parseQuarantine } from '../schemas/hold.ts';

/** Publishing is stopped while a hold is in force; one that cannot be read counts as on. @throws FleetError HOLD */
export function checkHold(data: Buffer, now: number): void {
  const { value, unreadable } = parseHold(data, now);
  if (value === null && unreadable === null) return;
  const until = value?.end ? ` until ${new Date(value.end).toISOString()}` : '';
  throw new FleetError({
    code: 'HOLD',
    reason:
      unreadable ?? `${clean(value?.owner ?? '', 100)} holds publishing${until}: ${clean(value?.reason ?? '', 300)}`,
    hint: unreadable
      ? 'empty the hold znode, or write a hold into it'
      : 'ask the owner, or wait for the end of the hold',
    next: 'wait',
  });
}

/** A commit that failed is neither published nor activated again. @throws FleetError QUARANTINED */
export function checkQuarantine(data: Buffer, commitId: string): void {
  const { value, unreadable } = parseQuarantine(data);
  const entry = value.find((commit) => commit.commitId === commitId);
  if (!entry && unreadable === null) return;
  throw new FleetError({
    code: 'QUARANTINED',
    reason:
      unreadable ??
      `${commitId.slice(0, 12)} is in quarantine since ${clean(entry?.by ?? '', 100)} put it there: ${clean(entry?.reason ?? '', 300)}`,
    hint: unreadable ? 'empty the quarantine znode' : 'publish another commit, or lift the quarantine of this one',
    next: 'stall',
  });
}
