/**
 * Which branches an installed hook deploys: a plain name, or a name with stars. `*` stands for any characters within
 * one segment, `**` also for slashes: `release/*` matches `release/7` and not `release/7/fix`.
 */
const PATTERN = /^[A-Za-z0-9_*][A-Za-z0-9_.+#@=,/*-]{0,199}$/;
const NOT_A_NAME = /^refs\/|\.\.|\/\/|\/\.|[./]$|\.lock(\/|$)|\*{3}/;
/** With more, a hostile branch name could keep the matcher busy, and the pattern would be unreadable. */
const MAX_STARS = 4;

export function isBranchPattern(text: string): boolean {
  return PATTERN.test(text) && !NOT_A_NAME.test(text) && (text.match(/\*+/g) ?? []).length <= MAX_STARS;
}

/** One branch by its name, not several by a pattern. */
export const isOneBranch = (pattern: string): boolean => !pattern.includes('*');

export function matchesBranch(pattern: string, branch: string): boolean {
  if (isOneBranch(pattern)) return pattern === branch;
  return isPlainBranch(branch) && expression(pattern).test(branch);
}

/** Orders patterns that match the same branch: the more literal text, the earlier. Negative if `a` is stricter. */
export function compareStrictness(a: string, b: string): number {
  const stars = (pattern: string) => (isOneBranch(pattern) ? 0 : pattern.includes('**') ? 2 : 1);
  const said = (pattern: string) => pattern.replaceAll('*', '').length;
  return stars(a) - stars(b) || said(b) - said(a) || (a < b ? -1 : a > b ? 1 : 0);
}

/** The pusher chooses a branch's name; a pattern deploys only names like these. Letters may have accents. */
function isPlainBranch(branch: string): boolean {
  return /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.+#@=,%/-]{0,199}$/u.test(branch);
}

/** Whether a pattern matches this branch but does not deploy it, only because of its name. */
export function isOddMatch(pattern: string, branch: string): boolean {
  if (isOneBranch(pattern) || isPlainBranch(branch)) return false;
  // A long name could keep the matcher busy: its beginning is enough for the warning.
  const [begin = ''] = pattern.split('*');
  return branch.length > MAX_CHARACTERS ? branch.startsWith(begin) : expression(pattern).test(branch);
}

const MAX_CHARACTERS = 200;

function expression(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*|\*)/).map((part) => {
    if (part === '**') return '.*';
    return part === '*' ? '[^/]*' : part.replace(/[.+]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`, 'u');
}
