// npm test [-- vitest's arguments] [-- --no-setup]: set-up, then all tests on real parts; last line: the count.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setUp } from './setup.mjs';

const args = process.argv.slice(2);
setUp({ allowed: !args.includes('--no-setup'), debian: ['sshd', 'kazoo', 'openssl', 'systemd'] });
const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'gitfleet-test-'));
const results = join(scratch, 'results.json');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const run = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${results}`,
    ...args.filter((arg) => arg !== '--no-setup'),
  ],
  { cwd: root, stdio: 'inherit' },
);
let failed = true;
try {
  const counted = JSON.parse(readFileSync(results, 'utf8'));
  // A file that could not be loaded has no failed test of its own: `success` knows.
  failed = !counted.success || counted.numPassedTests === 0;
  const broken = counted.numFailedTests || (counted.success ? 0 : 1);
  console.log(`${counted.numPassedTests} passed, ${broken} failed, ${counted.numPendingTests} skipped`);
} catch {
  console.log('0 passed, 1 failed');
}
rmSync(scratch, { recursive: true, force: true });
process.exit(run.status === 0 && !failed ? 0 : 1);
