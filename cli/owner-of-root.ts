import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The agent that took this root, whatever name the command line or the settings have; else `named`. */
export async function ownerOf(root: string, named: string): Promise<string> {
  const text = await readFile(join(root, '.gitfleet', 'owner'), 'utf8').catch(() => '');
  return /^([A-Za-z0-9._-]{1,100}) [0-9a-f]{16}\n$/.exec(text)?.[1] ?? named;
}
