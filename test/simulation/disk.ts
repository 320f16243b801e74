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
  touched.length = 0;
}

/** For checkers: what a reader of the link would find; null where there is no such link. */
export function shownBy(link: string): string | null {
  try {
    return String(volume.readlinkSync(link)).split('/').at(-1) ?? null;
  } catch {
    return null;
  }
}

/** For checkers too: what a directory holds; nothing where there is none. */
export function namesIn(directory: string): string[] {
  try {
    return volume.readdirSync(directory).map(String);
  } catch {
    return [];
  }
}

const touched: ((path: string) => void)[] = [];

/** Told of each path that is written, made, linked or renamed, until the next empty disks. */
export function onTouch(listener: (path: string) => void): void {
  touched.push(listener);
}

const touch = (path: unknown): void => {
  for (const tell of touched) tell(String(path));
};

/** Makes a method of the volume one of node:fs/promises. */
function promised<Args extends unknown[]>(name: string): (...args: Args) => Promise<unknown> {
  return async (...args) => (volume as unknown as Record<string, (...args: Args) => unknown>)[`${name}Sync`]?.(...args);
}

/** The same for one that changes what is at one of its arguments. */
function touching<Args extends unknown[]>(name: string, at = 0): (...args: Args) => Promise<unknown> {
  const act = promised<Args>(name);
  return (...args) => {
    touch(args[at]);
    return act(...args);
  };
}

export const access = promised('access');
export const chmod = touching('chmod');
export const lstat = promised('lstat');
export const mkdir = touching('mkdir');
export const readFile = promised('readFile');
export const readdir = promised('readdir');
export const readlink = promised('readlink');
export const realpath = promised('realpath');
export const rmdir = touching('rmdir');
export const stat = promised('stat');
/** Half of it is free. */
export const statfs = async () => ({ blocks: 2_000, bavail: 1_000 });
export const symlink = touching('symlink', 1);
export const unlink = touching('unlink');
export const utimes = touching('utimes');
export const writeFile = touching('writeFile');

const isLink = (path: string): boolean => {
  try {
    return volume.lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
};

/** This volume would remove what a link leads to. */
export async function rm(path: string, options: { recursive?: boolean; force?: boolean } = {}): Promise<void> {
  touch(path);
  if (isLink(path)) volume.unlinkSync(path);
  else volume.rmSync(path, options);
}

/** rename(2) moves a link itself; this volume would move what it leads to. */
export async function rename(from: string, to: string): Promise<void> {
  touch(from);
  touch(to);
  if (!isLink(from)) return volume.renameSync(from, to);
  const target = volume.readlinkSync(from);
  await rm(to, { force: true });
  volume.symlinkSync(target, to);
  volume.unlinkSync(from);
}

export async function open(path: string, flags?: string, mode?: number) {
  if (flags !== undefined && flags !== 'r') touch(path);
  const fd = flags === 'r' && volume.statSync(path).isDirectory() ? null : volume.openSync(path, flags ?? 'r', mode);
  return {
    writeFile: async (content: string) => void (fd !== null && volume.writeFileSync(fd, content)),
    readFile: async (encoding: BufferEncoding) => (fd === null ? '' : volume.readFileSync(fd, encoding)),
    chmod: async (bits: number) => volume.chmodSync(path, bits),
    sync: async () => {},
    close: async () => void (fd !== null && volume.closeSync(fd)),
  };
}
