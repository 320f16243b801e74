import type { Fetcher } from './fetch-command.ts';
import type { Repository } from './repository.ts';

/** An annotated tag, as its object says it. */
export interface TagObject {
  readonly id: string;
  readonly content: Buffer;
}

/** @returns null if the server has no such tag, or the tag is a plain name of a commit. */
export async function fetchTagObject(
  { git, reader, directory }: Pick<Repository, 'git' | 'reader' | 'directory'>,
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
  const found = await reader.read(id);
  await git.output(['update-ref', '-d', HERE], { gitDir: directory });
  return found?.type === 'tag' ? { id, content: found.content } : null;
}

const HERE = 'refs/tips/tag';
