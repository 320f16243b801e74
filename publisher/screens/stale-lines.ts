import { visible } from '../../runtime/safe-text.ts';
import type { Stale } from '../freshness.ts';
import { line, type Screen } from './columns.ts';
import { age } from './words.ts';

/** The warning above a stale picture. */
export function staleLines(stale: Stale | null, screen: Screen): string[] {
  if (!stale) return [];
  const silence = age(screen.now - stale.since);
  const reason = visible(stale.reason, 200);
  const seen = line(screen, '  the data below is the last known state; agents keep serving what they serve');
  if (stale.refusal === null)
    return [line(screen, `STALE: ZooKeeper has not answered for ${silence} (${reason})`, 'bad'), seen];
  return [
    line(screen, `STALE: ZooKeeper refuses to be read, for ${silence} now (${reason})`, 'bad'),
    line(screen, `  ${visible(stale.refusal, 200)}`),
    seen,
  ];
}

/** For output that stays: one line when the data becomes stale, and one when it no longer is. */
export function staleChange(before: Stale | null, after: Stale | null): string[] {
  if (before && !after) return ['ZooKeeper answers again'];
  if (!after || (before && (before.refusal === null) === (after.refusal === null))) return [];
  const reason = visible(after.reason, 200);
  if (after.refusal === null) return [`STALE: ZooKeeper does not answer (${reason})`];
  return [`STALE: ZooKeeper refuses to be read (${reason}): ${visible(after.refusal, 200)}`];
}

/** The screen for stale data: ages count up to the last answer and not beyond. */
export const asSeen = (stale: Stale | null, screen: Screen): Screen =>
  stale ? { ...screen, now: stale.since } : screen;
