import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '../../runtime/durable-file.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';

/**
 * Which commits were found on a branch, in `<state>/apps/<app>/vouched.json`. What was found once stays accepted: a
 * branch that is later deleted or pushed by force takes nothing away from a server that verified the commit before.
 * Nothing is lost with this file but that: the origin is asked again.
 */
const vouched = z.object({
  format: z.literal(1),
  /** Newest last. The url counts: no repository vouches for the commits of another one. */
  found: z.array(z.object({ url: z.string(), commitId: z.string(), ref: z.string() })),
});
export type FoundCommit = z.infer<typeof vouched>['found'][number];

export interface VouchedMemory {
  /** The refs on which this commit of this repository was found. */
  readonly refsOf: (url: string, commitId: string) => readonly string[];
  /** On the disk before it resolves. */
  readonly remember: (found: FoundCommit) => Promise<void>;
}

const FILE = 'vouched.json';
/** More than any server keeps releases. */
const MAX_FOUND = 300;
const MAX_BYTES = 1024 * 1024;

export async function openVouched(appState: string): Promise<VouchedMemory> {
  const file = join(appState, FILE);
  let all = await readFound(file);
  return {
    refsOf: (url, commitId) =>
      all.filter((each) => each.url === url && each.commitId === commitId).map(({ ref }) => ref),
    async remember(found) {
      const isOther = ({ url, commitId, ref }: FoundCommit) =>
        url !== found.url || commitId !== found.commitId || ref !== found.ref;
      all = [...all.filter(isOther), found].slice(-MAX_FOUND);
      await writeDurably(file, `${JSON.stringify({ format: 1, found: all })}\n`);
    },
  };
}

/** A damaged file proves nothing, and is replaced. */
const readFound = (file: string): Promise<readonly FoundCommit[]> =>
  readIfThere(file, MAX_BYTES)
    .then(
      (text) => (text === null ? [] : vouched.parse(JSON.parse(text)).found),
      () => [],
    )
    .catch(() => []);
