import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import type { CommitId, RepositoryUrl } from '../../../schemas/values.ts';

/** A directory that is removed after the test file, in memory if the machine has such a place. */
export function temporaryDirectory(name: string): { path: string; remove: () => void } {
  const base = statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() ? '/dev/shm' : tmpdir();
  const path = mkdtempSync(join(base, `gitfleet-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The content of a commit: text or bytes; null deletes; a symlink or an executable has its own form. */
export type Files = Record<string, string | Buffer | null | { link: string } | { run: string } | { module: string }>;

/** A bare repository, made with plumbing, so that a test can also commit what no work tree could contain. */
export interface GitOrigin {
  readonly directory: string;
  readonly url: RepositoryUrl;
  /** Writes a commit with `files` on top of `branch` (or of nothing) and moves the branch to it. */
  commit(files: Files, options?: { branch?: string; orphan?: boolean; message?: string }): CommitId;
  /** Moves a branch by force, or deletes it. */
  branch(name: string, to: CommitId | null): void;
  /** Runs git in the origin, for rare cases. */
  git(args: readonly string[], input?: string | Buffer): string;
}

const WHO = {
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'C',
  GIT_COMMITTER_EMAIL: 'c@example.com',
};

export function createOrigin(directory: string, options: { format?: 'sha1' | 'sha256' } = {}): GitOrigin {
  mkdirSync(dirname(directory), { recursive: true });
  const env = { PATH: process.env['PATH'] ?? '', HOME: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C', ...WHO };
  const run = (args: readonly string[], input?: string | Buffer, extra: Record<string, string> = {}) =>
    execFileSync('git', args, {
      env: { ...env, ...extra },
      input: input ?? '',
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
    }).trim();
  run(['init', '--quiet', '--bare', `--object-format=${options.format ?? 'sha1'}`, '--initial-branch=main', directory]);
  const git = (args: readonly string[], input?: string | Buffer, extra?: Record<string, string>) =>
    run([`--git-dir=${directory}`, ...args], input, extra);
  let made = 0;

  function entry(path: string, content: Exclude<Files[string], null>): string {
    if (typeof content === 'object' && 'module' in content) return `160000 ${content.module}\t${path}`;
    const [mode, bytes] =
      typeof content === 'string' || Buffer.isBuffer(content)
        ? ['100644', content]
        : 'link' in content
          ? ['120000', content.link]
          : ['100755', content.run];
    return `${mode} ${writeBlob(directory, Buffer.from(bytes), options.format ?? 'sha1')}\t${path}`;
  }

  return {
    directory,
    url: `file://${directory}` as RepositoryUrl,
    git,
    branch(name, to) {
      if (to === null) git(['update-ref', '-d', `refs/heads/${name}`]);
      else git(['update-ref', `refs/heads/${name}`, to]);
    },
    commit(files, { branch = 'main', orphan = false, message = 'a change' } = {}) {
      const ref = `refs/heads/${branch}`;
      const parent = orphan ? '' : git(['for-each-ref', '--format=%(objectname)', ref]);
      const index = { GIT_INDEX_FILE: join(directory, `making-index`) };
      rmSync(index.GIT_INDEX_FILE, { force: true });
      if (parent) git(['read-tree', parent], undefined, index);
      const zeros = '0'.repeat(options.format === 'sha256' ? 64 : 40);
      const lines = Object.entries(files).map(([path, content]) =>
        content === null ? `0 ${zeros}\t${path}` : entry(path, content),
      );
      git(['update-index', '--index-info'], lines.map((line) => `${line}\n`).join(''), index);
      const tree = git(['write-tree', '--missing-ok'], undefined, index);
      const date = `${1_700_000_000 + made++} +0000`;
      const dates = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
      const args = ['commit-tree', tree, '-m', message, ...(parent ? ['-p', parent] : [])];
      const commitId = git(args, undefined, dates);
      git(['update-ref', ref, commitId]);
      return commitId as CommitId;
    },
  };
}

/** As `git hash-object -w`, whose process per file and commit took longer than most of the tests. */
function writeBlob(directory: string, content: Buffer, format: 'sha1' | 'sha256'): string {
  const object = Buffer.concat([Buffer.from(`blob ${content.length}\0`), content]);
  const id = createHash(format).update(object).digest('hex');
  const file = join(directory, 'objects', id.slice(0, 2), id.slice(2));
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, deflateSync(object, { level: 1 }), { mode: 0o444 });
  }
  return id;
}

/** A work tree on disk, for tests that start from one. */
export function writeFiles(directory: string, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
}
