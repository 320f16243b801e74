// Makes the three files of the page that `gitfleet serve` shows: index.html, page.css, and page.js, into which rolldown
// puts serve/page/ and the two packages that it needs (scripts/build.mjs).
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { build } from 'rolldown';

export async function makePage(root, directory) {
  const page = `${root}serve/page`;
  mkdirSync(directory, { recursive: true });
  await build({
    cwd: root,
    input: `${page}/main.ts`,
    platform: 'browser',
    output: { format: 'esm', codeSplitting: false, minify: true, file: `${directory}/page.js` },
    onLog(_level, log) {
      throw new Error(`rolldown: ${log.message}`);
    },
  });
  writeFileSync(`${directory}/LICENSES`, licensesOf(root));
  copyFileSync(`${page}/index.html`, `${directory}/index.html`);
  writeFileSync(`${directory}/page.css`, withoutComments(readFileSync(`${page}/page.css`, 'utf8')));
}

/** page.js contains these packages, so their licences come with it. */
const licensesOf = (root) =>
  ['preact', 'htm']
    .map((name) => `${name}, in page.js:\n\n${readFileSync(`${root}node_modules/${name}/LICENSE`, 'utf8')}`)
    .join('\n\n');

const withoutComments = (css) =>
  css
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\n\s*/g, '\n')
    .trimStart();
