import { parseDuration } from '../../schemas/duration.ts';
import { usage } from '../shell/terminal.ts';

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d))?( ?UTC|Z)?$/;

/**
 * `2h`, counted back from `now`, or `2026-11-30`, `2026-11-30 14:00`: in this machine's time zone, unless it ends with
 * UTC or `utc` is set. Ms since the epoch. @throws FleetError USAGE
 */
export function parseSince(text: string, now: number, utc: boolean): number {
  const ago = parseDuration(text);
  if (ago !== null) return now - ago;
  const [, year, month, day, hour = '0', minute = '0', zone] = DATE.exec(text) ?? [];
  const parts = [Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute)] as const;
  const inUtc = utc || zone !== undefined;
  const date = new Date(inUtc ? Date.UTC(...parts) : new Date(...parts).getTime());
  // The 31st of February would become a day in March.
  const there = inUtc ? [date.getUTCMonth(), date.getUTCDate()] : [date.getMonth(), date.getDate()];
  if (there[0] === parts[1] && there[1] === parts[2] && parts[3] < 24 && parts[4] < 60) return date.getTime();
  throw usage(
    `--since: ${JSON.stringify(text.slice(0, 60))} is no duration and no date`,
    'such as 2h, 7d, 2026-11-30 or "2026-11-30 14:00"',
  );
}
