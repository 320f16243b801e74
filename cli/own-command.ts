import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * How to start this gitfleet later, program and script as absolute paths: for units and hooks, which outlive a version.
 * The Debian package has a directory per version, each with its own Node, and beside them a link `current` to the
 * newest.
 */
export function ownCommand(): [string, string] {
  const main = fileURLToPath(new URL('./main.cjs', import.meta.url));
  const home = dirname(dirname(dirname(main)));
  const current = join(dirname(home), 'current');
  if (!leadsTo(current, home)) return [process.execPath, main];
  return [join(current, 'bin/node'), join(current, 'dist/cli/main.cjs')];
}

function leadsTo(link: string, directory: string): boolean {
  try {
    return realpathSync(link) === realpathSync(directory);
  } catch {
    return false;
  }
}
