/**
 * The part of node:fs/promises that we use, with the same names, results and errors; the build replaces that module
 * with this one (scripts/build.mjs). Node sends every such call to another thread and back, which takes several times
 * the processor time of the call itself on a local disk: for the two hundred calls of a deployment, more than all other
 * work of an agent. So small calls are made synchronously, but in one turn of the event loop never more than take about
 * a millisecond. What may take long is unchanged: fsync, trees, large files, and anything but regular files, such as a
 * pipe.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fdatasync,
  fstatSync,
  fsync,
  lstatSync,
  type Mode,
  mkdirSync,
  openSync,
  type PathLike,
  promises,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFile as writeFileLater,
  writeFileSync,
} from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

export { constants } from 'node:fs';
export type { FileHandle } from 'node:fs/promises';

/** Node loads `promises` when it is first read, which takes a millisecond. So it is not read before a call needs it. */
function onThread<Name extends FunctionsOf<typeof promises>>(name: Name): (typeof promises)[Name] {
  const later = (...args: unknown[]) => (promises[name] as (...args: unknown[]) => unknown)(...args);
  return later as unknown as (typeof promises)[Name];
}
type FunctionsOf<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T];

export const access = onThread('access');
export const chown = onThread('chown');
export const copyFile = onThread('copyFile');
export const cp = onThread('cp');
export const link = onThread('link');
export const mkdtemp = onThread('mkdtemp');
export const statfs = onThread('statfs');

const MAX_IN_A_TURN = 64;
const SMALL_BYTES = 64 * 1024;

let left = MAX_IN_A_TURN;
let counting = false;

/**
 * Whether one more synchronous call fits into this turn of the event loop. If not, heartbeats and signals come first.
 */
function bearable(): boolean {
  if (!counting) {
    counting = true;
    setImmediate(() => {
      left = MAX_IN_A_TURN;
      counting = false;
    });
  }
  left -= 1;
  return left >= 0;
}

/** Combines the synchronous and the asynchronous form of one function of Node's. */
function atOnce<Later extends (...args: never[]) => Promise<unknown>>(now: unknown, later: Later): Later {
  const either = async (...args: never[]) => (bearable() ? (now as Later)(...args) : later(...args));
  return either as unknown as Later;
}

export const chmod = atOnce(chmodSync, onThread('chmod'));
export const lstat = atOnce(lstatSync, onThread('lstat'));
export const mkdir = atOnce(mkdirSync, onThread('mkdir'));
export const readdir = atOnce(readdirSync, onThread('readdir'));
export const readlink = atOnce(readlinkSync, onThread('readlink'));
export const realpath = atOnce(realpathSync.native, onThread('realpath'));
export const rename = atOnce(renameSync, onThread('rename'));
export const rmdir = atOnce(rmdirSync, onThread('rmdir'));
export const stat = atOnce(statSync, onThread('stat'));
export const symlink = atOnce(symlinkSync, onThread('symlink'));
export const unlink = atOnce(unlinkSync, onThread('unlink'));
export const utimes = atOnce(utimesSync, onThread('utimes'));

type Args<F extends (...args: never[]) => unknown> = Parameters<F>;

export const readFile = (async (...[path, options]: Args<typeof promises.readFile>) => {
  const content = isPath(path) && bearable() ? readSmall(path, options) : null;
  return content ?? (await promises.readFile(path, options));
}) as typeof promises.readFile;

/**
 * Null if it is no small regular file: leave it to the other thread. O_NONBLOCK: never wait for the other end of a
 * pipe.
 */
function readSmall(path: PathLike, options: Args<typeof promises.readFile>[1]): string | Buffer | null {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(descriptor);
    return found.isFile() && found.size <= SMALL_BYTES ? readFileSync(descriptor, options as BufferEncoding) : null;
  } finally {
    closeSync(descriptor);
  }
}

export const writeFile = (async (...[file, data, options]: Args<typeof promises.writeFile>) => {
  if (isPath(file) && sizeOf(data) <= SMALL_BYTES && bearable())
    writeFileSync(file, data as string, options as BufferEncoding);
  else await promises.writeFile(file, data, options);
}) as typeof promises.writeFile;

/**
 * For files that are written aside and fsynced (durable-file.ts, apply-diff.ts, config-edit.ts), and for directories to
 * fsync: only the fsync goes to another thread. Such a handle has only those methods of FileHandle that handleOf
 * provides.
 */
export const open = (async (...[path, flags, mode]: Args<typeof promises.open>) => {
  const descriptor = isPath(path) && bearable() ? openSmall(path, flags, mode) : null;
  return descriptor === null ? await promises.open(path, flags, mode) : handleOf(descriptor);
}) as unknown as typeof promises.open;

/** Null if it is neither a new file nor a directory: opening anything else could block. */
function openSmall(path: PathLike, flags?: string | number, mode?: Mode): number | null {
  if (flags === 'wx') return openSync(path, flags, mode);
  if (flags !== 'r') return null;
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fstatSync(descriptor).isDirectory()) return descriptor;
  closeSync(descriptor);
  return null;
}

type SmallHandle = Pick<FileHandle, 'writeFile' | 'chown' | 'chmod' | 'sync' | 'datasync' | 'close'> & {
  stat(): Promise<Stats>;
};

function handleOf(descriptor: number): SmallHandle {
  return {
    writeFile: async (data, options) => {
      const small = sizeOf(data) <= SMALL_BYTES && bearable();
      if (small) writeFileSync(descriptor, data as string, options as BufferEncoding);
      else await later((done) => writeFileLater(descriptor, data as string, options as BufferEncoding, done));
    },
    stat: async () => fstatSync(descriptor),
    chown: async (uid, gid) => fchownSync(descriptor, uid, gid),
    chmod: async (mode) => fchmodSync(descriptor, mode),
    sync: () => later((done) => fsync(descriptor, done)),
    datasync: () => later((done) => fdatasync(descriptor, done)),
    close: async () => closeSync(descriptor),
  };
}

/** Like promisify, which takes several times as long as the call itself. */
const later = (start: (done: (error: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));

export const rm = (async (...[path, options]: Args<typeof promises.rm>) => {
  if (options?.recursive || !bearable()) return promises.rm(path, options);
  try {
    unlinkSync(path);
  } catch (error) {
    if (options?.force && (error as NodeJS.ErrnoException).code === 'ENOENT') return;
    await promises.rm(path, options); // For Node's error message.
  }
}) as typeof promises.rm;

const sizeOf = (data: unknown): number =>
  typeof data === 'string' || Buffer.isBuffer(data) ? data.length : Number.POSITIVE_INFINITY;

const isPath = (value: unknown): value is PathLike =>
  typeof value === 'string' || Buffer.isBuffer(value) || value instanceof URL;
