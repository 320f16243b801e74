import { visible } from '../../runtime/safe-text.ts';
import { UNREADABLE } from '../../schemas/deployment.ts';

/** Where something comes from, and where on the servers it is shown. */
interface Place {
  readonly url: string;
  readonly relativePath: string;
}

/** What changes beside the commit, and what becomes of the old place; nothing where all of that stays, or was not known. */
export function placeLines(before: Place | null, after: Place): string[] {
  if (before === null || before.url === UNREADABLE) return [];
  const [from, to] = [visible(before.relativePath, 200), visible(after.relativePath, 200)];
  return [
    ...(before.url === after.url
      ? []
      : [`  the repository changes: from ${visible(before.url)} to ${visible(after.url)}`]),
    ...(before.relativePath === after.relativePath
      ? []
      : [`  the place changes: from ${from} to ${to}; ${from} stays as it is, no deployment changes it any more`]),
  ];
}
