/** `250ms`, `10s`, `5m`, `1h`, `7d`: one number and one unit, everywhere in settings and on the command line. */
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A longer timer would fire at once: Node stores delays in 31 bits. */
export const MAX_DURATION_MS = 24 * 86_400_000;

/**
 * Ms, or null for text that is not a duration or longer than 24 days. A bare number is not one: its unit is not known.
 */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,10})(ms|s|m|h|d)$/.exec(text);
  if (!match) return null;
  const ms = Number(match[1]) * (UNITS[match[2] as string] as number);
  return ms <= MAX_DURATION_MS ? ms : null;
}

/** The shortest exact spelling; parseDuration accepts it. */
export function formatDuration(ms: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, each]) => ms % each === 0 && ms >= each) ?? ['ms', 1];
  return `${Math.round(ms / size)}${unit}`;
}
