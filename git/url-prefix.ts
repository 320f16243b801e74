/**
 * Whether a url lies below a prefix of the settings. A prefix ends at a segment (`/team` does not cover `/teams`); without a port it
 * covers every port of its host, without a user every user. What cannot be parsed covers nothing.
 */
export function isBelow(url: string, prefix: string): boolean {
  const a = parse(url);
  const b = parse(prefix);
  if (!a || !b) return false;
  if (a.protocol !== b.protocol || a.hostname !== b.hostname) return false;
  if (b.port !== '' && effectivePort(a) !== b.port) return false;
  if (b.username !== '' && a.username !== b.username) return false;
  const path = b.pathname.replace(/\/+$/, '');
  return a.pathname === path || a.pathname.startsWith(`${path}/`);
}

function parse(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** `URL` leaves out the default port of https and http, but knows none for the others. */
function effectivePort(url: URL): string {
  if (url.port !== '') return url.port;
  return { 'https:': '443', 'http:': '80', 'ssh:': '22', 'git:': '9418' }[url.protocol] ?? '';
}
