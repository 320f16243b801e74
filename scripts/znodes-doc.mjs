// npm run docs: writes docs/znodes.md from the table in schemas/znodes.ts, as built. With --check it only says whether
// the file is up to date (exit 1: it is not). Another file may be named instead of docs/znodes.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ZNODES } from '../dist/schemas/znodes.js';

const COLUMNS = 120;
const ROWS = Object.values(ZNODES).filter((row) => row.path !== '');
const linked = (text) => text.replace(/schemas\/[a-z/-]+\.ts/g, (file) => `[${file}](../${file})`);

/** One znode: its content, and below that its writers and watchers. */
const entry = ({ path, mode, content, writtenBy, watchedBy }) =>
  [
    ...wrapped('- ', `**\`${path}\`** (${mode}): ${linked(content)}`),
    ...wrapped('  - ', `Written by: ${writtenBy}`),
    ...wrapped('  - ', `Watched by: ${watchedBy}`),
  ].join('\n');

/** In lines of at most COLUMNS; the later ones start below the text of the first. */
function wrapped(lead, text) {
  const lines = [];
  let line = lead.trimEnd();
  for (const word of text.split(' ')) {
    if (`${line} ${word}`.length > COLUMNS) {
      lines.push(line);
      line = ' '.repeat(lead.length - 1);
    }
    line = `${line} ${word}`;
  }
  return [...lines, line];
}

const RIGHTS = [
  ['znode', (row) => `\`${row.path}\``],
  ...['publisher', 'coordinator', 'agent', 'viewer'].map((role, at) => [role, (row) => row.rights[at]]),
  ...['flagger', 'server'].map((role) => [role, (row) => row[role] ?? row.rights[3]]),
];

const line = (cells) => `| ${cells.join(' | ')} |`;
const table = (columns) =>
  [
    columns.map(([title]) => title),
    columns.map(() => '---'),
    ...ROWS.map((row) => columns.map(([, cell]) => cell(row).replaceAll('|', '\\|'))),
  ]
    .map(line)
    .join('\n');
const text = `<!-- Made by \`npm run docs\` from schemas/znodes.ts; a test fails when the two differ. -->

# Znodes

The whole shared state of one app, below its app znode (\`/app/business\` by default; \`--app\`). \`gitfleet init\` creates
the znodes without a name in angle brackets. A client that deploys without gitfleet sets \`config\` and nothing else. How
a target is published, and why: [design.md](design.md), section 3.

${ROWS.map(entry).join('\n')}

## Rights

The letters are those of ZooKeeper: create and delete (of children), read, write. The operator has all of them on every
znode. A report and a presence have one more entry: \`rw\` for the agent that created them. In an app made with
\`init --open\` everyone may do everything.

${table(RIGHTS)}
`;

const args = process.argv.slice(2);
const file = args.find((arg) => !arg.startsWith('--')) ?? fileURLToPath(new URL('../docs/znodes.md', import.meta.url));
if (!args.includes('--check')) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error(`${file} is not what schemas/znodes.ts says: npm run docs writes it`);
  process.exitCode = 1;
}
