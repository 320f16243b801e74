// Writes the declarations of the library (scripts/build.mjs): library/index.ts and what it names, and nothing else, so
// that a program compiled against them needs no types of our dependencies.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ENTRIES = ['library/index.d.ts', 'library/openfeature.d.ts'];
/** Packages that a program has anyway if it imports this entry. */
const PEERS = { 'library/openfeature.d.ts': ['@openfeature/server-sdk'] };
const IMPORT = /(\bfrom\s+|\bimport\()'(\.[^']+)\.ts'/g;

export function makeTypes(root, directory) {
  const args = [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}library/tsconfig.json`, '--outDir', directory];
  execFileSync(process.execPath, args, { stdio: 'inherit', cwd: root });
  const named = closure(directory);
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const file = join(directory, name);
    if (statSync(file).isFile() && !named.has(name)) rmSync(file);
  }
}

/**
 * The files that the entries name, themselves included. Their imports are written as those of the modules beside them.
 */
function closure(directory) {
  const found = new Set();
  const visit = (name) => {
    if (found.has(name)) return;
    found.add(name);
    const file = join(directory, name);
    const text = readFileSync(file, 'utf8');
    for (const [, , path] of text.matchAll(IMPORT)) visit(relative(directory, join(dirname(file), `${path}.d.ts`)));
    writeFileSync(file, text.replace(IMPORT, "$1'$2.js'"));
    const foreign = [...text.matchAll(/^(?:import|export)\b[^;]*? from '([^.'][^']*)'/gm)]
      .map(([, id]) => id)
      .filter((id) => !PEERS[name]?.includes(id));
    if (foreign.length > 0)
      throw new Error(`the types of the library would need those of ${foreign.join(', ')}: ${name}`);
  };
  for (const entry of ENTRIES) visit(entry);
  return found;
}
