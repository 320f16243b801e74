// node bench/run.mjs NAME [arguments]: runs bench/NAME.ts on a Node that cannot run TypeScript itself, bundled aside.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const [name, ...args] = process.argv.slice(2);
const aside = mkdtempSync(join(tmpdir(), 'gitfleet-bench-run-'));
try {
  const file = join(aside, `${name}.mjs`);
  const external = (id) => !id.startsWith('.') && !id.startsWith('/');
  const resolve = { alias: { 'node:fs/promises': join(root, 'runtime/sync-fs.ts') } }; // As scripts/make-script.mjs does.
  const input = join(root, 'bench', `${name}.ts`);
  await build({ input, platform: 'node', external, resolve, output: { file } });
  symlinkSync(join(root, 'node_modules'), join(aside, 'node_modules'));
  process.exitCode = spawnSync(process.execPath, [file, ...args], { stdio: 'inherit', cwd: root }).status ?? 1;
} finally {
  rmSync(aside, { recursive: true, force: true });
}
