// Makes dist/ (and so bin.gitfleet) from the TypeScript sources with tsc, and nothing else.
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.json`], {
  stdio: 'inherit',
  cwd: root,
});
chmodSync(`${root}dist/cli/main.js`, 0o755);
writeFileSync(`${root}dist/.built`, '');
