/** Node paths: what the server accepts, checked before anything is sent. */

/** What is wrong with a path, as the end of a sentence; undefined if the server would accept it. */
export function problemOfPath(path: string): string | undefined {
  if (typeof path !== 'string' || !path.startsWith('/')) return 'does not start with a slash';
  if (path === '/' || path === lastGood) return undefined;
  if (path.endsWith('/')) return 'ends with a slash';
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') return 'has an empty segment';
    if (segment === '.' || segment === '..') return 'has a dot segment';
  }
  if (/[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/.test(path)) return 'has a character that is not allowed';
  lastGood = path;
  return undefined;
}

/** Watches read the same path again and again. */
let lastGood = '';

/** The parent of a path; undefined for `/`. */
export function parentOf(path: string): string | undefined {
  if (path === '/') return undefined;
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function childPath(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}

/** Converts between the paths of our callers and those of the server, which start with the chroot. */
export function withChroot(chroot: string, path: string): string {
  return path === '/' ? chroot || '/' : chroot + path;
}

export function withoutChroot(chroot: string, path: string): string {
  return path.slice(chroot.length) || '/';
}
