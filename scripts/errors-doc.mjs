// npm run docs: writes docs/errors.md from the table of codes in runtime/codes.ts, as built. With --check it only says
// whether the file is up to date (exit 1: it is not). Another file may be named instead of docs/errors.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** By the reader's situation: the file of the table, the title, and what applies to all of it. */
const SECTIONS = [
  ['typed', 'On the command line, in the settings, at the hook', 'The command or the push stopped here.'],
  ['target', 'The target that was published', 'An agent that refuses a target keeps serving what it serves.'],
  [
    'signatures',
    'Signed targets',
    'An agent that requires signatures keeps serving what it serves. None of these blames the commit: see [security.md](security.md).',
  ],
  [
    'commit',
    'The commit and its steps',
    'These blame the commit: it would fail the same way on every server that is set up alike.',
  ],
  [
    'server',
    'On a server',
    'These say nothing against the commit. The agent keeps serving what it serves. `gitfleet agent status` shows where it stands.',
  ],
  ['adopt', 'gitfleet agent adopt', 'Unless the text says otherwise, nothing was changed.'],
  [
    'rollout',
    'In a rollout',
    'These say nothing against the commit: a person, the policy, a newer target or an absent agent is the reason.',
  ],
  [
    'git',
    'Git: the host, the network, the local store',
    'These say nothing against the commit. An agent tries a failed fetch again about once a minute, even where it needs you first: nothing has to be restarted afterwards.',
  ],
  [
    'zookeeper',
    'ZooKeeper',
    'While ZooKeeper is away, every server keeps serving what it serves. See also [zookeeper.md](zookeeper.md).',
  ],
  ['serve', 'What gitfleet serve sends', 'No deployment waits for a forge or a sink: see [notify.md](notify.md).'],
  ['flags', 'Flags and values', 'Programs keep the last flags that they read.'],
  [
    'shared-work',
    'Programs that share work',
    'These come from the library, `gitfleet lock` and `gitfleet elect`: see [library.md](library.md).',
  ],
  ['defects', 'Defects', 'These must not happen. An agent tries again about once a minute.'],
];

const NEXT = {
  retry: 'Retried automatically',
  wait: 'Waits',
  stall: 'Needs you',
  bug: 'Defect',
};

/** Lines of at most 120 characters. */
function wrapped(text) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== '' && line.length + 1 + word.length > 120) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n');
}

/** Outside code, a `<` would begin HTML. A page of docs/ becomes a link. */
const markdown = (text) =>
  text
    .split(/(`[^`]*`)/)
    .map((part) =>
      part.startsWith('`') ? part : part.replaceAll('<', '\\<').replace(/docs\/([a-z]+\.md)/g, '[$1]($1)'),
    )
    .join('');

const entry = ([code, { means, next, hint }]) =>
  `### ${code}\n\n${wrapped(markdown(means))}\n\n${wrapped(`**${NEXT[next]}:** ${markdown(hint)}.`)}\n`;

const sections = [];
for (const [file, title, truth] of SECTIONS) {
  const [makeRows] = Object.values(await import(`../dist/runtime/codes/${file}.js`));
  const rows = makeRows();
  const entries = Object.entries(rows).toSorted(([one], [other]) => (one < other ? -1 : 1));
  sections.push(`## ${title}\n\n${wrapped(truth)}\n\n${entries.map(entry).join('\n')}`);
}

const text = `<!-- Made by \`npm run docs\` from runtime/codes.ts; a test fails when the two differ. -->

# Errors

Every failure has a code. It is the same on the command line, in \`--json\`, in the log, in the report of an agent and in
the metrics. Search this page for it: each entry says what the code means, what happens next and what to do. The
hint in the message itself is often more exact.

- **Retried automatically**: gitfleet tries again by itself, with growing pauses. Act if it does not pass.
- **Waits**: gitfleet continues by itself once the named thing has changed.
- **Needs you**: gitfleet cannot solve it alone. On the command line, the command has ended. On a server, the agent
  tries again with the next target that is published.
- **Defect**: an error in gitfleet itself.

Exit codes of the command line: [cli.md](cli.md).

${sections.join('\n')}`;

const args = process.argv.slice(2);
const file = args.find((arg) => !arg.startsWith('--')) ?? fileURLToPath(new URL('../docs/errors.md', import.meta.url));
if (!args.includes('--check')) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error(`${file} is not what runtime/codes.ts says: npm run docs writes it again`);
  process.exitCode = 1;
}
