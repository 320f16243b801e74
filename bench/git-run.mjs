// Runs bench/git.ts on a Node that cannot run TypeScript itself: compiles it aside, then passes the arguments on.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'gitfleet-bench-'));
try {
  const settings = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { outDir: out, rootDir: root, noCheck: true, sourceMap: false, types: [] },
    include: [],
    files: [join(root, 'bench/git.ts')],
  };
  writeFileSync(join(out, 'tsconfig.json'), JSON.stringify(settings));
  writeFileSync(join(out, 'package.json'), '{"type":"module"}');
  symlinkSync(join(root, 'node_modules'), join(out, 'node_modules'));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', join(out, 'tsconfig.json')], { stdio: 'inherit' });
  const bench = [join(out, 'bench/git.js'), ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, bench, { stdio: 'inherit' }).status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
