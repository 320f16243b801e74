import {
  access,
  constants,
  link,
  lstat,
  mkdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
} from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { writeDurably } from '../runtime/durable-file.ts';
import { FleetError } from '../runtime/errors.ts';
import { EARLIER, type HookName, type HookText, judgeHook } from './hook-script.ts';

/** A hook file on the disk, and the earlier one that is kept, if any. */
export interface HookFile {
  readonly file: string;
  readonly state: 'absent' | HookText;
  /** Its content, if it is a plain file. */
  readonly text: string;
  readonly executable: boolean;
  readonly earlier: string | null;
  /** Whether the kept file is still the one in place: an installation ended right before it wrote ours. */
  readonly earlierIsSame: boolean;
}

export async function lookAtHook(hooks: string, name: HookName): Promise<HookFile> {
  const [file, earlier] = [join(hooks, name), join(hooks, EARLIER, name)];
  const kept = (await lstat(earlier).catch(() => null)) ? earlier : null;
  const found = await lstat(file).catch(() => null);
  if (!found) return { file, state: 'absent', text: '', executable: false, earlier: kept, earlierIsSame: false };
  const executable = await access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
  const text = found.isFile() ? await readFile(file, 'utf8') : '';
  const same = kept !== null && (await isSame(file, kept));
  return { file, state: judgeHook(text), text, executable, earlier: kept, earlierIsSame: same };
}

async function isSame(file: string, earlier: string): Promise<boolean> {
  const [there, kept] = [await lstat(file), await lstat(earlier)];
  if (there.ino === kept.ino && there.dev === kept.dev) return true;
  const links = there.isSymbolicLink() && kept.isSymbolicLink();
  return links && (await readlink(earlier)) === deeper(await readlink(file));
}

/**
 * Writes a hook of ours. A hook that is not ours is first kept aside, where ours calls it. At no instant is there no
 * hook. Resolves to what changed, in words; empty: nothing did.
 * @throws FleetError HOOK_EDITED, HOOK_EXISTS
 */
export async function placeHook(hooks: string, name: HookName, text: string): Promise<string[]> {
  const found = await lookAtHook(hooks, name);
  await refuseUnclear(found);
  if (found.text === text && found.executable) return [];
  // A repository made without a template has no such directory.
  await mkdir(hooks, { recursive: true });
  if (found.state === 'foreign') await keepEarlier(found, join(hooks, EARLIER, name));
  await writeDurably(found.file, text, 0o755);
  if (found.state === 'absent') return [`${found.file} written`];
  if (found.state === 'ours') return [`${found.file} written again`];
  return [`${found.file} written; the hook that was there is kept as ${EARLIER}/${name} and called first`];
}

/** Removes a hook of ours and restores the earlier one. A hook that is not ours is left alone. */
export async function removeHook(hooks: string, name: HookName): Promise<string[]> {
  const found = await lookAtHook(hooks, name);
  refuseEdited(found);
  const removeDirectory = () => rmdir(join(hooks, EARLIER)).catch(() => {}); // The other hook's earlier one may be there.
  if (found.state === 'foreign') {
    if (!found.earlier) return [];
    if (!found.earlierIsSame) return [`${found.file} is not ours and was left alone`];
    await rm(found.earlier);
    await removeDirectory();
    return [];
  }
  if (found.earlier) {
    await putBack(found.earlier, found.file);
    await removeDirectory();
    return [`${found.file} is the earlier hook again`];
  }
  if (found.state === 'absent') return [];
  await rm(found.file);
  return [`${found.file} removed`];
}

async function keepEarlier({ file, earlier: kept }: HookFile, earlier: string): Promise<void> {
  if (kept) return; // An installation was interrupted right here; otherwise it would have been refused.
  await mkdir(dirname(earlier), { recursive: true });
  if ((await lstat(file)).isSymbolicLink()) await symlink(deeper(await readlink(file)), earlier);
  else await link(file, earlier).catch(() => rename(file, earlier)); // Some file systems have no hard links.
}

async function putBack(earlier: string, file: string): Promise<void> {
  if (!(await lstat(earlier)).isSymbolicLink()) return await rename(earlier, file);
  const target = await readlink(earlier);
  const aside = `${file}.new`;
  await rm(aside, { force: true });
  await symlink(isAbsolute(target) ? target : target.slice('../'.length), aside);
  await rename(aside, file);
  await rm(earlier);
}

/** A relative link is kept one directory deeper. */
const deeper = (target: string): string => (isAbsolute(target) ? target : `../${target}`);

/** Whether the file may be replaced; called before anything is written. @throws FleetError HOOK_EDITED, HOOK_EXISTS */
export async function refuseUnclear(found: HookFile): Promise<void> {
  refuseEdited(found);
  const { file, state, earlier, earlierIsSame } = found;
  if (state !== 'foreign') return;
  if ((await lstat(file)).isDirectory()) throw exists(`${file} is no file`);
  if (!earlier || earlierIsSame) return;
  throw exists(`${file} is not ours, and neither is ${earlier}, which was there before gitfleet`);
}

/** @throws FleetError HOOK_EDITED */
export function refuseEdited({ file, state }: HookFile): void {
  if (state !== 'edited') return;
  throw FleetError.of(
    'HOOK_EDITED',
    `${file} was changed since gitfleet wrote it; nothing was touched`,
    `move what you added into a file of its own, remove ${file}, and run this again`,
  );
}

const exists = (why: string): FleetError => FleetError.of('HOOK_EXISTS', `${why}; nothing was touched`);
