import { mkdtemp, open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { syncDirectory } from '../../runtime/durable-file.ts';
import { gitError } from '../run/errors.ts';
import type { Git } from '../run/process.ts';

/** A repository's own config during a change. Keys are full setting names; values are single lines. */
export interface ConfigEdit {
  /** All values of a setting, as written. */
  read(key: string): Promise<string[]>;
  isOn(key: string): Promise<boolean>;
  /** Replaces all values of the setting; null removes them. */
  set(key: string, value: string | null): Promise<void>;
  /** Adds one value and keeps the existing ones. */
  add(key: string, value: string): Promise<void>;
  remove(key: string, value: string): Promise<void>;
  /**
   * Such as `gitfleet.main /app/business` for `[gitfleet "main /app/business"]`. Succeeds if there is no such section.
   */
  removeSection(section: string): Promise<void>;
}

/** Git holds the config lock for milliseconds; five seconds are enough even on a slow disk. */
const LOCK_TRIES = 200;
const LOCK_PAUSE_MS = 25;

/**
 * Changes a repository's config atomically: readers see the old or the new config, also after a crash at any point. Git
 * edits a copy, which then replaces the config under git's own lock, with the same owner and mode.
 * @param change is called again, on the new content, if the config changed in the meantime.
 * @throws FleetError CONFIG_LOCKED
 */
export async function changeConfig<T>(git: Git, gitDir: string, change: (edit: ConfigEdit) => Promise<T>): Promise<T> {
  const named = (await git.output(['rev-parse', '--git-path', 'config'], { gitDir })).replace(/\n$/, '');
  const config = await realpath(resolve(gitDir, named));
  const scratch = await mkdtemp(join(tmpdir(), 'gitfleet-config-'));
  const copy = join(scratch, 'config');
  try {
    for (;;) {
      const before = await readFile(config);
      await writeFile(copy, before, { mode: 0o600 });
      const value = await change(createEdit(git, gitDir, copy));
      const after = await readFile(copy);
      if (after.equals(before) || (await replace(git, config, before, after))) return value;
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** False: the config is no longer `before`, and was left alone. */
async function replace(git: Git, config: string, before: Buffer, after: Buffer): Promise<boolean> {
  const lock = `${config}.lock`;
  const handle = await takeLock(git, lock);
  try {
    if (!(await readFile(config)).equals(before)) {
      await rm(lock);
      return false;
    }
    const { uid, gid, mode } = await stat(config);
    await handle.writeFile(after);
    const made = await handle.stat();
    // Only root can keep the owner. In a shared repository the file belongs to its last writer, as with git itself.
    if (made.uid !== uid || made.gid !== gid) await handle.chown(uid, gid).catch(() => {});
    await handle.chmod(mode & 0o7777);
    await handle.sync();
    await rename(lock, config);
  } catch (error) {
    await rm(lock, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(config));
  return true;
}

async function takeLock(git: Git, lock: string) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await open(lock, 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (tries === LOCK_TRIES) throw locked(lock);
      await git.sandbox.clock.sleep(LOCK_PAUSE_MS);
    }
  }
}

function createEdit(git: Git, gitDir: string, copy: string): ConfigEdit {
  const tell = async (...words: string[]) => void (await git.output(['config', '--file', copy, ...words], { gitDir }));
  /** @param nothing the exit code that means "no such setting". */
  const askFor = async (nothing: number, ...words: string[]) => {
    const said = await git.run(['config', '--file', copy, ...words], { gitDir });
    if (said.exitCode !== 0 && said.exitCode !== nothing) throw notReadable(gitDir, said.stderr);
    return said.exitCode === 0 ? said.stdout.toString('utf8') : '';
  };
  return {
    read: async (key) => (await askFor(1, '--null', '--get-all', key)).split('\0').slice(0, -1),
    isOn: async (key) => (await askFor(1, '--type=bool', '--get', key)).trim() === 'true',
    set: async (key, value) => {
      if (value === null) await askFor(5, '--unset-all', key);
      else await tell('--replace-all', key, value);
    },
    add: (key, value) => tell('--add', key, value),
    remove: async (key, value) => void (await askFor(5, '--fixed-value', '--unset-all', key, value)),
    removeSection: async (section) => {
      const said = await git.run(['config', '--file', copy, '--remove-section', section], { gitDir });
      if (said.exitCode !== 0 && !/no such section/i.test(said.stderr)) throw notReadable(gitDir, said.stderr);
    },
  };
}

export const notReadable = (path: string, words: string) =>
  gitError('NOT_A_REPOSITORY', `${path} is not a git repository that can be read: ${words}`);

const locked = (lock: string) =>
  gitError(
    'CONFIG_LOCKED',
    `${lock} is there: something else changes this repository's config, or was ended while it did; nothing was changed`,
    'wait for it; where no git runs in this repository, remove that file and run this again',
  );
