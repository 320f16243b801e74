import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hooksDirectory } from './git-of-hooks.ts';

/** Where git passes our files over without a word because core.hooksPath is set, or other repositories use them too. */
export async function elsewhere(gitDir: string): Promise<string[]> {
  const directory = join(gitDir, 'hooks');
  const ours = await realpath(directory).catch(() => directory);
  const found: string[] = [];
  if (dirname(ours) !== (await realpath(gitDir))) {
    found.push(`${directory} leads to ${ours}: every repository that uses it runs these hooks too`);
  }
  const asked = await hooksDirectory(gitDir);
  if (asked !== null && asked !== ours) {
    found.push(`core.hooksPath is set, so git looks for hooks in ${asked} and never runs those in ${directory}`);
    found.push(`git -C ${gitDir} config core.hooksPath ${ours} makes it look here again`);
  }
  return found;
}
