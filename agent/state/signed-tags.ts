import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '../../runtime/durable-file.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';

/**
 * The annotated tags whose signatures let a commit through, in `<state>/apps/<app>/signed-tags.json`. A rollback names
 * the commit and not the tag, and must not need the origin: so the tag is kept as it was fetched. It is judged again at
 * each use, by the list of signers as it is then; nothing in this file counts on its own.
 *
 * Without the file, the tag is asked for again by a target that names it.
 */
const signedTags = z.object({
  format: z.literal(1),
  /** Newest last; one for each commit. */
  tags: z.array(z.object({ commitId: z.string(), id: z.string(), content: z.base64() })),
});

interface TagOf {
  readonly id: string;
  readonly content: Buffer;
}

export interface SignedTags {
  /** The tag that was kept for this commit. */
  readonly of: (commitId: string) => TagOf | null;
  /** On the disk before it resolves. */
  readonly remember: (commitId: string, tag: TagOf) => Promise<void>;
}

const FILE = 'signed-tags.json';
const MAX_TAGS = 100;
/** Of all of them, as base64. One alone always fits (git/repository/tag-object.ts). */
const MAX_KEPT = 1024 * 1024;
const MAX_BYTES = 2 * MAX_KEPT;

export async function openSignedTags(appState: string): Promise<SignedTags> {
  const file = join(appState, FILE);
  let all = await readTags(file);
  return {
    of(commitId) {
      const found = all.find((each) => each.commitId === commitId);
      return found ? { id: found.id, content: Buffer.from(found.content, 'base64') } : null;
    },
    async remember(commitId, { id, content }) {
      const others = all.filter((each) => each.commitId !== commitId);
      all = newest([...others, { commitId, id, content: content.toString('base64') }]);
      await writeDurably(file, `${JSON.stringify({ format: 1, tags: all })}\n`);
    },
  };
}

type KeptTag = z.infer<typeof signedTags>['tags'][number];

function newest(tags: readonly KeptTag[]): readonly KeptTag[] {
  const kept = tags.slice(-MAX_TAGS);
  while (kept.reduce((sum, { content }) => sum + content.length, 0) > MAX_KEPT) kept.shift();
  return kept;
}

/** A damaged file is replaced. */
const readTags = (file: string): Promise<readonly KeptTag[]> =>
  readIfThere(file, MAX_BYTES)
    .then((text) => (text === null ? [] : signedTags.parse(JSON.parse(text)).tags))
    .catch(() => []);
