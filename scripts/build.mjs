// Makes dist/ (and so bin.gitfleet) from the TypeScript sources: with tsc the modules, one by one, which tests and
// scripts import; with rolldown one script, which cli/main.ts runs; and what V8 makes of that script, so that
// a start need not compile it. It is made aside and renamed, so that what runs from dist/ meanwhile never sees half of it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const [dist, aside, old] = [`${root}dist`, `${root}dist.new-${process.pid}`, `${root}dist.old-${process.pid}`];
const startedAt = new Date();
try {
  const compiler = `${root}node_modules/typescript/bin/tsc`;
  const args = [compiler, '-p', `${root}tsconfig.json`, '--outDir', aside];
  execFileSync(process.execPath, args, { stdio: 'inherit', cwd: root });
  const script = await makeScript();
  const main = readFileSync(`${aside}/cli/main.js`, 'utf8');
  writeFileSync(`${aside}/cli/main.js`, main.replace('@SCRIPT@', script));
  chmodSync(`${aside}/cli/main.js`, 0o755);
  keepCompiled(`${aside}/cli/${script}`);
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

/**
 * All in one file, each module run when it is first asked for: verbs do not pay for each other, and nothing is read from
 * disk later. Its value is a function of `require` and its own place. Returns its name.
 */
async function makeScript() {
  const { output } = await build({
    cwd: root,
    input: `${root}cli/start.ts`,
    platform: 'node',
    resolve: { alias: { 'node:fs/promises': `${root}runtime/files-at-once.ts` } },
    write: false,
    output: { format: 'cjs', codeSplitting: false },
    // Such as a module that is not there, which would else fail when somebody first needs it.
    onLog(_level, log) {
      throw new Error(`rolldown: ${log.message}`);
    },
  });
  // Plain ASCII is read without decoding and takes half the memory.
  const code = output[0].code.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const text = `(function (require, __filename, __dirname) {${code}\n})\n`;
  const name = `gitfleet-${createHash('sha256').update(text).digest('hex').slice(0, 12)}.cjs`;
  writeFileSync(`${aside}/cli/${name}`, text);
  return name;
}

/** In a process of its own: code that was run is kept, the build's own is not. */
function keepCompiled(script) {
  // Nothing of ours takes part: an unknown GITFLEET_ variable, such as a test's seed, is an error to the command line.
  const ours = ([name]) => name === 'NODE_OPTIONS' || name.startsWith('GITFLEET_');
  const env = Object.fromEntries(Object.entries(process.env).filter((variable) => !ours(variable)));
  execFileSync(process.execPath, [`${root}scripts/keep-compiled.mjs`, script], { stdio: 'inherit', env });
}
