/** `2026-11-21 05:40 UTC`: a moment as every message shows it, whatever the zone of who reads it. */
export function formatInstant(ms: number): string {
  const date = new Date(ms);
  // A znode may hold any number; one outside the calendar is no reason to fail.
  if (Number.isNaN(date.getTime())) return 'a time that is no date';
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
