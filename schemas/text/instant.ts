/** `2026-11-21 05:40 UTC`: a time as every message shows it, whatever the reader's time zone. */
export function formatInstant(ms: number): string {
  const date = new Date(ms);
  // A znode may contain any number; one outside the calendar must not cause a failure.
  if (Number.isNaN(date.getTime())) return 'a time that is no date';
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
