// Makes dist/ (and so bin.gitfleet) from the TypeScript sources with tsc, and nothing else. It is made aside and
// renamed, so that what runs from dist/ meanwhile never sees half of it.
import { execFileSync } from 'node:child_process';
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [dist, aside, old] = [`${root}dist`, `${root}dist.new-${process.pid}`, `${root}dist.old-${process.pid}`];
const startedAt = new Date();
try {
  const compiler = `${root}node_modules/typescript/bin/tsc`;
  const args = [compiler, '-p', `${root}tsconfig.json`, '--outDir', aside];
  execFileSync(process.execPath, args, { stdio: 'inherit', cwd: root });
  chmodSync(`${aside}/cli/main.js`, 0o755);
  // What changed while the compiler ran is newer than the build.
  writeFileSync(`${aside}/.built`, String(startedAt.getTime()));
  try {
    renameSync(dist, old);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  renameSync(aside, dist);
} finally {
  rmSync(aside, { recursive: true, force: true });
  rmSync(old, { recursive: true, force: true });
}
