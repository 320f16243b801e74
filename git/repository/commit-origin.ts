import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';

interface Origin {
  readonly url: RepositoryUrl;
  readonly ref?: string | undefined;
}

/**
 * The urls from which a pinned commit came, as notes beside the pins. The commit counts as present only for these urls:
 * no allowed repository may vouch for the commits of another, so a target with another url is fetched from there. A
 * note is written after the pin. A lost or damaged note costs one more fetch.
 *
 * A note does not say that a branch contains the commit, only that the server at the url served it.
 *
 * A second kind of note says that a signature which the agent accepted named the commit together with the url, and that
 * the objects came from a bundle: the server at the url was not asked. It counts only for those who ask for it.
 */
export async function cameFrom({ directory }: Store, commitId: CommitId, url: RepositoryUrl): Promise<boolean> {
  return (await readNote(noteOf(directory, commitId))).some((line) => line.split(' ')[0] === url);
}

export async function isSignedFor({ directory }: Store, commitId: CommitId, url: RepositoryUrl): Promise<boolean> {
  return (await readNote(noteOf(directory, commitId))).includes(signedLine(url));
}

export async function noteOrigin(store: Store, commitId: CommitId, { url, ref }: Origin): Promise<void> {
  await addLine(store, commitId, url, ref === undefined || /\s/.test(ref) ? url : `${url} ${ref}`);
}

export async function noteSigned(store: Store, commitId: CommitId, url: RepositoryUrl): Promise<void> {
  await addLine(store, commitId, SIGNED, signedLine(url));
}

/** No url begins with it. */
const SIGNED = 'signed-for';
const signedLine = (url: RepositoryUrl): string => `${SIGNED} ${url}`;

/** Replaces the line that begins with the same word. */
async function addLine({ directory }: Store, commitId: CommitId, first: string, line: string): Promise<void> {
  const note = noteOf(directory, commitId);
  const others = (await readNote(note)).filter((each) => each.split(' ')[0] !== first).slice(-MAX_ORIGINS);
  await mkdir(join(directory, ORIGINS), { recursive: true, mode: 0o700 });
  await writeFile(`${note}.new`, [...others, line].map((each) => `${each}\n`).join(''));
  await rename(`${note}.new`, note).catch(async () => {
    await rm(note, { recursive: true, force: true }); // After damage it may be a directory.
    await rename(`${note}.new`, note);
  });
}

export async function forgetOrigins({ directory }: Store, commitId: CommitId): Promise<void> {
  await rm(noteOf(directory, commitId), { recursive: true, force: true });
}

interface Store {
  readonly directory: string;
}

const ORIGINS = 'gitfleet-origins';
/** Kept in addition to the newest. */
const MAX_ORIGINS = 15;

export const noteOf = (directory: string, commitId: CommitId): string => join(directory, ORIGINS, commitId);

const readNote = (file: string): Promise<string[]> =>
  readFile(file, 'utf8').then(
    (text) => text.split('\n').filter((line) => line !== ''),
    () => [],
  );
