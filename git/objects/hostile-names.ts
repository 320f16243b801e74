/** Pure rules about the names and link targets of a tree; content.ts applies them. */
export interface NameLimits {
  readonly maxDepth: number;
  readonly maxPathBytes: number;
  readonly maxSegmentBytes: number;
}

/** Why a path of a tree must not be written, or null. */
export function nameProblem(path: string, limits: NameLimits): string | null {
  if (PLAIN.test(path) && path.length <= limits.maxSegmentBytes && path.length <= limits.maxPathBytes) {
    if (path.length < 2 * limits.maxDepth) return null;
  }
  if (path === '' || path.startsWith('/')) return 'is not a path inside the tree';
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'has a control character';
  if (Buffer.byteLength(path) > limits.maxPathBytes) return `is longer than ${limits.maxPathBytes} bytes`;
  const segments = path.split('/');
  if (segments.length > limits.maxDepth) return `is deeper than ${limits.maxDepth} directories`;
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..') return 'has an empty or a dot segment';
    if (Buffer.byteLength(segment) > limits.maxSegmentBytes) return 'has a segment that is too long';
    if (looksLikeDotGit(segment)) return 'is spelled like .git';
  }
  return null;
}

/**
 * Most paths: only letters, digits, `_`, `-` and `.`, and no segment starts with a dot. Every rule below on names needs
 * another character to be broken, and a path that is short enough cannot be too deep.
 */
const PLAIN = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/;

/** The same string for all paths that a case-folding disk treats as one. */
export const folded = (path: string): string => path.normalize('NFC').toLowerCase();

/**
 * Covers letter case, NTFS short names and streams, trailing dots, and the characters that HFS+ ignores in comparisons.
 */
function looksLikeDotGit(segment: string): boolean {
  const plain = segment
    .replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '')
    .toLowerCase()
    .replace(/:.*$/, '')
    .replace(/[. ]+$/, '');
  return plain === '.git' || plain === 'git~1';
}

/** No Linux file system accepts a longer target; some accept less. */
const MAX_TARGET_BYTES = 4_095;

/** Why a symlink cannot be made at all, or null. */
export function targetProblem(target: string): string | null {
  if (target === '' || target.includes('\0')) return 'is a symlink without a sound target';
  return Buffer.byteLength(target) > MAX_TARGET_BYTES
    ? `is a symlink with a target of more than ${MAX_TARGET_BYTES} bytes`
    : null;
}

/**
 * Why a symlink may lead out of the release, or null. A target that goes up first and then only down stays inside if it
 * goes up no further than the depth of the link: the directories above a path of a tree are real ones, and any link on
 * the way down obeys the same rule. A `..` after a name could go up through a link, so it is refused.
 */
export function symlinkProblem(path: string, target: string): string | null {
  const unsound = targetProblem(target);
  if (unsound) return unsound;
  if (target.startsWith('/')) return 'is an absolute symlink';
  let above = path.split('/').length - 1;
  let down = false;
  for (const segment of target.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') down = true;
    else if (down) return 'is a symlink that goes up again after a name';
    else if (above-- === 0) return 'is a symlink that leaves the release';
  }
  return null;
}
