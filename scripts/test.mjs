// npm test [-- vitest's arguments] [-- --no-setup]: set-up, then all tests on real parts; then the slowest files; last
// line: the count. With --record it notes how long each file took (test/support/lanes/longest-first.ts). npm run
// test:quick is --quick: the lanes that start no process (test/support/lanes/lanes.ts).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setUp } from './setup.mjs';

const OURS = ['--no-setup', '--quick', '--record'];
const SLOWEST = 10;
/** No process is started; the simulation runs one share, with few schedules. */
const QUICK = ['--project', 'quick', '--project', 'simulation', '--exclude', 'test/simulation/schedules-[2-9].test.ts'];

const args = process.argv.slice(2);
const quick = args.includes('--quick');
setUp({
  allowed: !args.includes('--no-setup'),
  packagesOnly: quick,
  debian: ['sshd', 'kazoo', 'openssl', 'systemd', 'haproxy', 'promtool', 'nginx', 'groff', 'zsh', 'fish', 'chromium'],
});
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
    ...(quick ? QUICK : []),
    ...args.filter((arg) => !OURS.includes(arg)),
  ],
  { cwd: root, stdio: 'inherit', env: quick ? { ...process.env, GITFLEET_QUICK: '1' } : process.env },
);
let failed = true;
try {
  const counted = JSON.parse(readFileSync(results, 'utf8'));
  // A file that could not be loaded has no failed test, but `success` is false.
  failed = !counted.success || counted.numPassedTests === 0;
  const broken = counted.numFailedTests || (counted.success ? 0 : 1);
  if (args.includes('--record')) record(counted.testResults);
  for (const line of slowest(counted.testResults)) console.log(line);
  console.log(`${counted.numPassedTests} passed, ${broken} failed, ${counted.numPendingTests} skipped`);
} catch {
  console.log('0 passed, 1 failed');
}
rmSync(scratch, { recursive: true, force: true });
process.exit(run.status === 0 && !failed ? 0 : 1);

function secondsOf({ startTime, endTime }) {
  return (endTime - startTime) / 1_000;
}

/** Where the time went. A file's time is that of its tests and their hooks. */
function slowest(files) {
  const sorted = files.toSorted((a, b) => secondsOf(b) - secondsOf(a)).slice(0, SLOWEST);
  if (sorted.length < 2) return [];
  return [
    `the ${sorted.length} slowest files:`,
    ...sorted.map((file) => `${secondsOf(file).toFixed(1).padStart(8)} s  ${relative(root, file.name)}`),
  ];
}

/** Only the long ones: the order of the others does not matter. */
function record(files) {
  const known = files.map((file) => [relative(root, file.name), Math.round(secondsOf(file))]);
  const long = known.filter(([, seconds]) => seconds >= 5).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(
    join(root, 'test/support/lanes/durations.json'),
    `${JSON.stringify(Object.fromEntries(long), null, 2)}\n`,
  );
}
