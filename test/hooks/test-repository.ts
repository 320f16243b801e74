import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanEnvironment, git } from '../support/commands.ts';

/** A bare repository in a directory of its own. */
export interface ARepository {
  readonly top: string;
  readonly bare: string;
  /** Its config, and every file of its hooks directory with mode and content, or where a link leads. */
  picture(): Promise<Record<string, string>>;
  /** Runs a hook file as git does: from the repository, by its relative name. */
  runHook(name: string, input: string, environment?: Record<string, string>): Promise<Told>;
  remove(): Promise<void>;
}

interface Told {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function aRepository(): Promise<ARepository> {
  const top = await mkdtemp(join(tmpdir(), 'gitfleet-hook-'));
  const bare = join(top, 'shop.git');
  await git(top, 'init', '--quiet', '--bare', '--template=', bare);
  return {
    top,
    bare,
    async picture() {
      const files = await readdir(join(bare, 'hooks'), { recursive: true, withFileTypes: true }).catch(() => []);
      const shown = files.map(async (entry): Promise<[string, string]> => {
        const path = join(entry.parentPath, entry.name);
        const name = path.slice(bare.length + 1);
        if (entry.isSymbolicLink()) return [name, `-> ${await readlink(path)}`];
        if (entry.isDirectory()) return [`${name}/`, ''];
        return [name, `${((await stat(path)).mode & 0o777).toString(8)} ${await readFile(path, 'utf8')}`];
      });
      const config = await readFile(join(bare, 'config'), 'utf8');
      return { ...Object.fromEntries((await Promise.all(shown)).sort(([a], [b]) => (a < b ? -1 : 1))), config };
    },
    runHook(name, input, environment = {}) {
      return new Promise((resolve, reject) => {
        const env = { ...cleanEnvironment(), GIT_DIR: '.', ...environment };
        const child = spawn(`hooks/${name}`, ['one', 'two words'], { cwd: bare, env });
        let [stdout, stderr] = ['', ''];
        child.stdout.setEncoding('utf8').on('data', (text) => {
          stdout += text;
        });
        child.stderr.setEncoding('utf8').on('data', (text) => {
          stderr += text;
        });
        child.on('error', reject).on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
        child.stdin.on('error', () => {}).end(input);
      });
    },
    remove: () => rm(top, { recursive: true, force: true }),
  };
}
