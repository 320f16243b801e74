import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import type { WorkTree } from './work-tree.ts';

/**
 * The note that a work tree was proved to be a commit. It is removed before the first change and written after the
 * proof, so a crash of ours leaves no note on a changed tree. A power loss can: the note may reach the disk before the
 * files do. So it counts only within the same boot of the machine.
 */
const PROVED = 'gitfleet-proved';
const BOOT = 'gitfleet-boot';

export async function readProof(tree: WorkTree): Promise<CommitId | null> {
  const [note, now, head] = await Promise.all([read(tree, PROVED), bootId(), readHead(tree)]);
  const [commitId, boot] = note.split(' ');
  return commitId && boot === now && head === commitId ? (commitId as CommitId) : null;
}

/** The literal content of HEAD: a commit id in a tree of ours. */
export function readHead(tree: WorkTree): Promise<string> {
  return read(tree, 'HEAD');
}

export async function writeProof(tree: WorkTree, commitId: CommitId): Promise<void> {
  await write(tree, PROVED, `${commitId} ${await bootId()}\n`);
}

export async function dropProof(tree: WorkTree): Promise<void> {
  await rm(join(tree.admin, PROVED), { recursive: true, force: true });
}

/** Whether the index was written in this boot, so that its file sizes and times can be trusted. */
export async function indexIsOfThisBoot(tree: WorkTree): Promise<boolean> {
  return (await read(tree, BOOT)) === (await bootId());
}

export async function noteBoot(tree: WorkTree): Promise<void> {
  await write(tree, BOOT, `${await bootId()}\n`);
}

export async function writeHead(tree: WorkTree, commitId: CommitId): Promise<void> {
  await write(tree, 'HEAD', `${commitId}\n`);
}

async function write(tree: WorkTree, name: string, text: string): Promise<void> {
  const file = join(tree.admin, name);
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file).catch(async () => {
    await rm(file, { recursive: true, force: true }); // After damage it may be a directory.
    await rename(`${file}.new`, file);
  });
}

async function read(tree: WorkTree, name: string): Promise<string> {
  return readFile(join(tree.admin, name), 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
}

let boot: Promise<string> | undefined;
function bootId(): Promise<string> {
  boot ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => 'unknown',
  );
  return boot;
}
