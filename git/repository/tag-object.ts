import type { Fetcher } from './fetch-command.ts';
import type { Repository } from './repository.ts';

/** An annotated tag, as its object says it. */
export interface TagObject {
  readonly id: string;
  readonly content: Buffer;
}

/** A tag of a release is a name and a few words. */
export const MAX_TAG_BYTES = 64 * 1024;

/**
 * @returns null if the server has no such tag, if the tag is a plain name of an object, and if it is larger than
 * MAX_TAG_BYTES: nothing larger is read, because anyone may name a file of gigabytes a tag.
 */
export async function fetchTagObject(
  { git, reader, sizes, directory }: Pick<Repository, 'git' | 'reader' | 'sizes' | 'directory'>,
  ref: string,
  fetch: Fetcher,
): Promise<TagObject | null> {
  try {
    await fetch(['--depth=1'], [`+${ref}:${HERE}`]);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'COMMIT_NOT_FOUND') return null;
    throw error;
  }
  const id = (await git.output(['rev-parse', '--verify', HERE], { gitDir: directory })).trim();
  await git.output(['update-ref', '-d', HERE], { gitDir: directory });
  const seen = await sizes.read(id);
  const found = seen?.type === 'tag' && seen.size <= MAX_TAG_BYTES ? await reader.read(id) : null;
  return found && { id, content: found.content };
}

const HERE = 'refs/tips/tag';
