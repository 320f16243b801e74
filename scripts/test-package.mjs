// npm run test:package: tests the Debian package on a fresh Debian 12 with systemd in a container; run as root on a
// Debian. The first run fetches that Debian with debootstrap (one or two minutes), and keeps it in the temporary
// directory.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setUp } from './setup.mjs';

const args = process.argv.slice(2);
setUp({ allowed: !args.includes('--no-setup'), debian: ['debootstrap', 'nspawn'] });
if (process.getuid?.() !== 0) {
  console.error('test:package: containers and debootstrap want root');
  process.exit(2);
}
const root = fileURLToPath(new URL('..', import.meta.url));
const config = ['--config', 'test/packaging/vitest.config.ts', '--root', '.'];
const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...config, ...args.filter((arg) => arg !== '--no-setup')];
process.exit(spawnSync(process.execPath, vitest, { cwd: root, stdio: 'inherit' }).status ?? 1);
