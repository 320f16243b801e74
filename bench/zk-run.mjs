// Runs bench/zk.ts on a Node that cannot run TypeScript itself, with a garbage collector that can be asked for.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const aside = mkdtempSync(join(tmpdir(), 'gitfleet-bench-zk-'));
const node = (...args) => spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
try {
  const compilerOptions = { outDir: aside, rootDir: root, noCheck: true, sourceMap: false, types: [] };
  const files = [join(root, 'bench/zk.ts')];
  writeFileSync(
    join(aside, 'tsconfig.json'),
    JSON.stringify({ extends: `${root}tsconfig.json`, compilerOptions, files, include: [] }),
  );
  writeFileSync(join(aside, 'package.json'), '{"type":"module"}');
  symlinkSync(`${root}node_modules`, join(aside, 'node_modules'));
  process.exitCode = node(`${root}node_modules/typescript/bin/tsc`, '-p', join(aside, 'tsconfig.json'));
  process.exitCode ||= node('--expose-gc', join(aside, 'bench/zk.js'), ...process.argv.slice(2));
} finally {
  rmSync(aside, { recursive: true, force: true });
}
