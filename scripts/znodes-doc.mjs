// npm run docs: writes docs/znodes.md from the table in schemas/znodes.ts, as built. With --check it only says whether
// the file is what it would write (exit 1: it is not); a file may be named instead of docs/znodes.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TREE } from '../dist/schemas/znodes.js';

const COLUMNS = [
  ['znode', (row) => `\`${row.path}\``],
  ['mode', (row) => row.mode],
  ['content', (row) => row.content.replace(/schemas\/[a-z-]+\.ts/g, (file) => `[${file}](../${file})`)],
  ['written by', (row) => row.writtenBy],
  ['watched by', (row) => row.watchedBy],
];

const line = (cells) => `| ${cells.join(' | ')} |`;
const text = `<!-- Made by \`npm run docs\` from schemas/znodes.ts; a test fails when the two differ. -->

# Znodes

The whole shared state of one app, below its app znode (\`/app/business\` by default; \`--app\`). \`gitfleet init\` makes what
is always there. Any ZooKeeper client may read it; one that deploys without us sets \`config\` and nothing else. Why it is
like this, and how a target is published: [design.md](design.md), section 3.

${line(COLUMNS.map(([title]) => title))}
${line(COLUMNS.map(() => '---'))}
${TREE.map((row) => line(COLUMNS.map(([, cell]) => cell(row).replaceAll('|', '\\|')))).join('\n')}
`;

const args = process.argv.slice(2);
const file = args.find((arg) => !arg.startsWith('--')) ?? fileURLToPath(new URL('../docs/znodes.md', import.meta.url));
if (!args.includes('--check')) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error(`${file} is not what schemas/znodes.ts says: npm run docs writes it anew`);
  process.exitCode = 1;
}
