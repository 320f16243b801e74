import { execFileSync } from 'node:child_process';
import * as node from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as ours from '../../runtime/sync-fs.ts';
import { temporaryDirectory } from '../support/git/origin.ts';

let place: ReturnType<typeof temporaryDirectory>;
let at: (name: string) => string;
beforeEach(() => {
  place = temporaryDirectory('files');
  at = (name) => join(place.path, name);
});
afterEach(() => place.remove());

type Files = typeof ours;
const SMALL = 'small\n';
const LARGE = 'x'.repeat(300_000);

/** What came of it, in words that two implementations can share. */
async function told(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    const { code, syscall, path, message } = error as NodeJS.ErrnoException;
    return { code, syscall, path, message };
  }
}

/** As durable-file.ts and config-edit.ts do. */
async function written(fs: Files, path: string, content: string): Promise<unknown> {
  const handle = await fs.open(path, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    const { uid, gid } = await handle.stat();
    await handle.chown(uid, gid);
    await handle.chmod(0o640);
    await handle.datasync();
    await handle.sync();
  } finally {
    await handle.close();
  }
  const { mode, size } = await fs.lstat(path);
  await fs.rm(path);
  return { mode, size };
}

async function readBy(fs: Files, path: string): Promise<unknown> {
  const handle = await fs.open(path, 'r');
  return await handle.readFile('utf8').finally(() => handle.close());
}

/** Every call that the product makes, where it works and where it does not. */
async function everything(fs: Files): Promise<unknown[]> {
  const kept: unknown[] = [];
  const keep = async (work: Promise<unknown>) => void kept.push(await told(work));
  await keep(fs.mkdir(at('a/b'), { recursive: true, mode: 0o750 }));
  await keep(fs.mkdir(at('a')));
  await keep(fs.writeFile(at('a/file'), SMALL, { mode: 0o640 }));
  await keep(fs.writeFile(at('a/large'), LARGE));
  await keep(fs.writeFile(at('a/bytes'), Buffer.from([0, 255]), { flag: 'wx' }));
  await keep(fs.writeFile(at('a/bytes'), 'again', { flag: 'wx' }));
  await keep(fs.writeFile(at('missing/file'), SMALL));
  await keep(fs.readFile(at('a/file')));
  await keep(fs.readFile(at('a/file'), 'utf8'));
  await keep(fs.readFile(at('a/large'), { encoding: 'latin1' }));
  await keep(fs.readFile(Buffer.from(at('a/bytes'))));
  await keep(fs.readFile(at('a'), 'utf8'));
  await keep(fs.readFile(at('none'), 'utf8'));
  await keep(fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8'));
  for (const content of [SMALL, LARGE]) await keep(written(fs, at('a/aside'), content));
  await keep(written(fs, at('a/file'), SMALL));
  await keep(written(fs, at('none/aside'), SMALL));
  await keep(fs.open(at('a'), 'r').then((handle) => handle.sync().finally(() => handle.close())));
  await keep(fs.open(at('none'), 'r'));
  await keep(readBy(fs, at('a/file')));
  await keep(fs.symlink('a/file', at('link')));
  await keep(fs.symlink('a/file', at('link')));
  await keep(fs.readlink(at('link')));
  await keep(fs.readlink(at('a/file')));
  await keep(fs.realpath(at('link')));
  await keep(fs.realpath(at('none')));
  await keep(fs.lstat(at('link')).then((found) => [found.isSymbolicLink(), found.mode]));
  await keep(fs.stat(at('link')).then((found) => [found.isFile(), found.mode, found.size]));
  await keep(fs.stat(at('a/file'), { bigint: true }).then((found) => found.size));
  await keep(fs.lstat(at('none')));
  await keep(fs.stat(at('a/file/below')));
  await keep(fs.chmod(at('a/file'), 0o600));
  await keep(fs.utimes(at('a/file'), 1, 2).then(async () => (await fs.stat(at('a/file'))).mtimeMs));
  await keep(fs.readdir(at('a')).then((names) => names.toSorted()));
  await keep(
    fs.readdir(at('a'), { withFileTypes: true }).then((all) => all.map((one) => one.isDirectory()).toSorted()),
  );
  await keep(fs.readdir(at('none')));
  await keep(fs.rename(at('a/bytes'), at('a/moved')));
  await keep(fs.rename(at('a/bytes'), at('a/moved')));
  await keep(fs.rm(at('a/moved')));
  await keep(fs.rm(at('a/moved')));
  await keep(fs.rm(at('a/moved'), { force: true }));
  await keep(fs.rm(at('a')));
  await keep(fs.rm(at('a'), { force: true }));
  await keep(fs.unlink(at('link')));
  await keep(fs.unlink(at('link')));
  await keep(fs.rmdir(at('a')));
  await keep(fs.rmdir(at('a/b')));
  await keep(fs.rm(at('a'), { recursive: true, force: true }));
  await keep(fs.readdir(place.path));
  return kept;
}

describe('files at once', () => {
  it('does what node:fs/promises does, and fails in the same words', async () => {
    const theirs = await everything(node as unknown as Files);
    expect(theirs.filter((one) => (one as { code?: string } | undefined)?.code !== undefined).length).toBe(20);
    expect(await everything(ours)).toEqual(theirs);
  });

  it('lets the event loop turn while many calls follow one another', async () => {
    let turns = 0;
    let counting = setImmediate(function turn() {
      turns += 1;
      counting = setImmediate(turn);
    });
    for (let call = 0; call < 6_400; call++) await ours.lstat(place.path);
    clearImmediate(counting);
    expect(turns).toBeGreaterThanOrEqual(99);
  });

  it('does not stand still before a pipe that nobody writes to', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const reading = ours.readFile(at('pipe'), 'utf8');
    // Were it done at once, this line would never be reached.
    await node.writeFile(at('pipe'), 'at last');
    expect(await reading).toBe('at last');
  });
});
