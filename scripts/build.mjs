// Makes dist/ (and so bin.gitfleet) from the TypeScript sources: with tsc the separate modules, which tests and scripts
// import; with rolldown the three scripts of which cli/main.ts runs one; V8's compiled code for each, so that a start
// need not compile it; and from the command table the manual and the completions. The result is made aside and renamed,
// so that a process that runs from dist/ meanwhile never sees half of it.
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { makeJsonSchemas } from './make-json-schemas.mjs';
import { makeManual } from './make-manual.mjs';
import { makePage } from './make-page.mjs';
import { makeMain, makeScript, PUBLISHING, SERVING } from './make-script.mjs';
import { makeTypes } from './make-types.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [dist, aside, old] = [`${root}dist`, `${root}dist.new-${process.pid}`, `${root}dist.old-${process.pid}`];
const startedAt = new Date();
try {
  const compiler = `${root}node_modules/typescript/bin/tsc`;
  const args = [compiler, '-p', `${root}tsconfig.json`, '--outDir', aside];
  execFileSync(process.execPath, args, { stdio: 'inherit', cwd: root });
  makeTypes(root, `${aside}/types`);
  const script = await makeScript(root, `${aside}/cli`);
  const publishing = await makeScript(root, `${aside}/cli`, PUBLISHING);
  const serving = await makeScript(root, `${aside}/cli`, SERVING);
  await makeMain(root, `${aside}/cli`, script, publishing, serving);
  for (const each of [script, publishing]) keepCompiled(`${aside}/cli/${each}`);
  await makePage(root, `${aside}/page`);
  await makeManual(aside, `${aside}/share`);
  await makeJsonSchemas(aside, `${aside}/json-schemas`);
  writeFileSync(`${aside}/build.json`, `${JSON.stringify({ commit: commitHere() })}\n`);
  // Sources that changed while the compiler ran are newer than the build.
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

/** Null outside a clone of this project: a repository above it is not used. */
function commitHere() {
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: fileURLToPath(new URL('../..', import.meta.url)) };
  const args = ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'];
  try {
    const options = { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', args, options).trim();
  } catch {
    return null;
  }
}

/** In a process of its own: V8 keeps the code that was run, and that of the build itself does not belong there. */
function keepCompiled(script) {
  // Without our own variables: an unknown GITFLEET_ variable, such as a test's seed, is an error for the command line.
  const ours = ([name]) => name === 'NODE_OPTIONS' || name.startsWith('GITFLEET_');
  const env = Object.fromEntries(Object.entries(process.env).filter((variable) => !ours(variable)));
  execFileSync(process.execPath, [`${root}scripts/keep-compiled.mjs`, script], { stdio: 'inherit', env });
}
