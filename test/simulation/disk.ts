import { Volume } from 'memfs';

/**
 * The disks of a simulated fleet, in memory, in the place of node:fs/promises: the agent's own disk code runs on it
 * unchanged. Every call is done by the time its promise is made, so a simulation never waits for a real disk.
 * A file of tests takes it with `vi.mock('node:fs/promises', () => import('./disk.ts'))`.
 */
let volume = new Volume();

// The volume asks at each step of each path; nobody changes who we are.
const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
process.getuid = () => uid;
process.getgid = () => gid;

/** Empty disks for the next run. */
export function newDisks(): void {
  volume = new Volume();
}

/** For checkers: what a reader of the link would find; null where there is no such link. */
export function shownBy(link: string): string | null {
  try {
    return String(volume.readlinkSync(link)).split('/').at(-1) ?? null;
  } catch {
    return null;
  }
}

/** Makes a method of the volume one of node:fs/promises. */
function promised<Args extends unknown[]>(name: string): (...args: Args) => Promise<unknown> {
  return async (...args) => (volume as unknown as Record<string, (...args: Args) => unknown>)[`${name}Sync`]?.(...args);
}

export const access = promised('access');
export const chmod = promised('chmod');
export const lstat = promised('lstat');
export const mkdir = promised('mkdir');
export const readFile = promised('readFile');
export const readdir = promised('readdir');
export const readlink = promised('readlink');
export const realpath = promised('realpath');
export const rmdir = promised('rmdir');
export const stat = promised('stat');
/** Half of it is free. */
export const statfs = async () => ({ blocks: 2_000, bavail: 1_000 });
export const symlink = promised('symlink');
export const unlink = promised('unlink');
export const utimes = promised('utimes');
export const writeFile = promised('writeFile');

const isLink = (path: string): boolean => {
  try {
    return volume.lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
};

/** This volume would remove what a link leads to. */
export async function rm(path: string, options: { recursive?: boolean; force?: boolean } = {}): Promise<void> {
  if (isLink(path)) volume.unlinkSync(path);
  else volume.rmSync(path, options);
}

/** rename(2) moves a link itself; this volume would move what it leads to. */
export async function rename(from: string, to: string): Promise<void> {
  if (!isLink(from)) return volume.renameSync(from, to);
  const target = volume.readlinkSync(from);
  await rm(to, { force: true });
  volume.symlinkSync(target, to);
  volume.unlinkSync(from);
}

export async function open(path: string, flags?: string, mode?: number) {
  const fd = flags === 'r' && volume.statSync(path).isDirectory() ? null : volume.openSync(path, flags ?? 'r', mode);
  return {
    writeFile: async (content: string) => void (fd !== null && volume.writeFileSync(fd, content)),
    readFile: async (encoding: BufferEncoding) => (fd === null ? '' : volume.readFileSync(fd, encoding)),
    chmod: async (bits: number) => volume.chmodSync(path, bits),
    sync: async () => {},
    close: async () => void (fd !== null && volume.closeSync(fd)),
  };
}
