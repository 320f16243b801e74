import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '../../runtime/durable-file.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';

/**
 * Who took over what, and where that is now, in `<state>/apps/<app>/adoptions.json`: for people who want to look at it,
 * go back to it or delete it. The agent never reads it.
 */
const record = z.object({
  relativePath: z.string(),
  commitId: z.string(),
  url: z.string(),
  /** The renamed directory, or where the other tool's link led. */
  before: z.string(),
  by: z.string(),
  reason: z.string(),
  at: z.number(),
});
export type AdoptionRecord = z.infer<typeof record>;

const FILE = 'adoptions.json';
const MAX = 100;
const MAX_BYTES = 1024 * 1024;

/** Oldest first. A file that cannot be read counts as empty. */
export async function readAdoptions(appState: string): Promise<AdoptionRecord[]> {
  try {
    return z.array(record).parse(JSON.parse((await readIfThere(join(appState, FILE), MAX_BYTES)) ?? '[]'));
  } catch {
    return [];
  }
}

export async function noteAdoption(appState: string, value: AdoptionRecord): Promise<void> {
  const all = [...(await readAdoptions(appState)), value].slice(-MAX);
  await writeDurably(join(appState, FILE), `${JSON.stringify(all, null, 1)}\n`);
}
