// Bundles cli/start.ts and everything that it needs into one script, and makes from cli/main.ts the file that runs it
// (scripts/build.mjs).
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'rolldown';

/**
 * All in one file, each module run when it is first used: verbs do not pay for each other, and nothing is read from
 * disk later. The script's value is a function of `require` and its own path. Written into `directory`; returns its
 * name.
 * @param only the files of the verbs that it contains; all but those of SERVING if none are named. Who may run it:
 * cli/main.ts.
 */
export async function makeScript(root, directory, only = null) {
  const matched = counter();
  const { output } = await build({
    cwd: root,
    input: `${root}cli/start.ts`,
    platform: 'node',
    // `debug` takes it where it is installed, for colours that nobody sees. A tool of the build may bring it.
    external: ['supports-color'],
    // The entry of jsonc-parser that Node finds loads its files in a way that no bundler follows.
    resolve: {
      alias: { 'node:fs/promises': `${root}runtime/sync-fs.ts`, 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
    },
    plugins: [fixed(root, matched), leanClient(matched), runWhenCalled(root, matched), withVerbs(root, only, matched)],
    write: false,
    // Our own comments would be a tenth of what a start reads. Licences stay.
    output: { format: 'cjs', codeSplitting: false, comments: { annotation: false, jsdoc: false, legal: true } },
    onLog,
  });
  const all = only === null ? [...SERVING.map((verb) => `without ${verb}`), ...deferred()] : only;
  matched.once([...all, 'cli/version.ts', ...Object.keys(FOR_CLIENT)]);
  // Plain ASCII is read without decoding and takes half the memory.
  const code = askedWhenUsed(output[0].code).replace(/[^\0-\x7f]/g, escaped);
  const text = `(function (require, __filename, __dirname) {${code}\n})\n`;
  const name = `gitfleet-${createHash('sha256').update(text).digest('hex').slice(0, 12)}.cjs`;
  writeFileSync(`${directory}/${name}`, text);
  return name;
}

/** The verbs that cli/main.ts starts with the second script. */
export const PUBLISHING = ['deploy/publish', 'hook/post-receive'];
/** Those that it starts with the third: no other verb pays for the server. */
export const SERVING = ['serve/serve'];

/** Counts the matches of each path entry of this file: after a move, an entry that matches nothing must be noticed. */
function counter() {
  const counts = new Map();
  return {
    add: (entry) => counts.set(entry, (counts.get(entry) ?? 0) + 1),
    once(entries) {
      for (const entry of entries) {
        const count = counts.get(entry) ?? 0;
        if (count !== 1) throw new Error(`make-script: ${entry} matches ${count} times instead of once`);
      }
    },
  };
}

/** Modules that read a file at each start, whose content the build knows. */
const fixed = (root, matched) => ({
  name: 'fixed',
  load(id) {
    if (id !== `${root}cli/version.ts`) return null;
    matched.add('cli/version.ts');
    const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
    return `export const version = ${JSON.stringify(version)};`;
  },
});

/**
 * The ZooKeeper client uses one function each of two packages, one of them for a list of one. Loading them costs a
 * command two milliseconds, so they are loaded only when that function has something to do.
 */
const FOR_CLIENT = {
  assert: 'module.exports = (value, message) => { if (!value) require("node:assert")(value, message); };',
  underscore: 'exports.shuffle = (list) => (list.length < 2 ? [...list] : require("underscore").shuffle(list));',
};
const leanClient = (matched) => {
  const seen = new Set();
  return {
    name: 'lean client',
    resolveId(id, importer) {
      if (!FOR_CLIENT[id] || !importer?.includes('/node_modules/node-zookeeper-client/')) return null;
      if (!seen.has(id)) matched.add(id);
      seen.add(id);
      return `\0for-client:${id}`;
    },
    load: (id) => (id.startsWith('\0for-client:') ? FOR_CLIENT[id.slice('\0for-client:'.length)] : null),
  };
};

/** The command table stays whole; a verb that a script does not contain has no implementation in it. */
const withVerbs = (root, verbs, matched) => ({
  name: 'with verbs',
  resolveId(id, importer, { kind }) {
    const table = kind === 'dynamic-import' && /^cli\/(program|verbs-[a-z]+)\.ts$/.test(importer.slice(root.length));
    if (!table) return null;
    const verb = id.slice('./'.length, -'.ts'.length);
    const isIn = verbs === null ? !SERVING.includes(verb) : verbs.includes(verb);
    if (verbs === null && !isIn) matched.add(`without ${verb}`);
    if (!isIn) return '\0no-verb';
    if (verbs !== null) matched.add(verb);
    return null;
  },
  load: (id) => (id === '\0no-verb' ? "export const run = () => { throw new Error('not in this script'); };" : null),
});

/**
 * The first file, which runs the scripts of these names. It uses `require`: Node reads, resolves and links a first file
 * with `import` 5 ms more slowly. The module that tsc made of it is removed.
 */
export async function makeMain(root, directory, script, publishing, serving) {
  const file = `${directory}/main.cjs`;
  await build({ cwd: root, input: `${root}cli/main.ts`, platform: 'node', output: { format: 'cjs', file }, onLog });
  const names = { SCRIPT: script, PUBLISHING: publishing, SERVING: serving };
  const text = readFileSync(file, 'utf8').replace(/@(SCRIPT|PUBLISHING|SERVING)@/g, (_, name) => names[name]);
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  for (const left of ['main.js', 'main.js.map']) rmSync(`${directory}/${left}`);
}

/** Fails for warnings such as a missing module, which would otherwise fail at its first use. */
function onLog(_level, log) {
  throw new Error(`rolldown: ${log.message}`);
}

const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Functions of packages that take milliseconds to load: if these files import them, only a call loads the package. */
const CALLED = {
  'runtime/log.ts': { pino: ['pino'] },
  'git/host/user-git.ts': { 'simple-git': ['simpleGit'] },
  'schemas/text/yaml-text.ts': { yaml: ['parseDocument'] },
  'publisher/screens/columns.ts': { 'string-width': ['default'] },
};
const deferred = () => Object.entries(CALLED).flatMap(([file, ids]) => Object.keys(ids).map((id) => `${file} ${id}`));
const runWhenCalled = (root, matched) => ({
  name: 'run when called',
  resolveId(id, importer) {
    const file = importer?.startsWith(root) ? importer.slice(root.length) : '';
    const names = CALLED[file]?.[id];
    if (names) matched.add(`${file} ${id}`);
    return names ? `\0called:${names}:${id}` : null;
  },
  load(id) {
    const [, names, name] = /^\0called:([^:]+):(.+)$/.exec(id) ?? [];
    if (!names) return null;
    const functions = names.split(',').map((each) => {
      const called = `(...args) => loaded().${each}(...args)`;
      return each === 'default' ? `export default ${called};` : `export const ${each} = ${called};`;
    });
    return [`let found;\nconst loaded = () => (found ??= require(${JSON.stringify(name)}));`, ...functions].join('\n');
  },
});

/** Node's own modules that are slow to load and that few verbs need: loaded where they are used, not at the start. */
const FEW_NEED = [
  ...['child_process', 'crypto', 'dns/promises', 'http', 'https', 'tls'].map((id) => {
    const name = `node_${id.replace('/', '_')}`;
    return { id, name, first: `let ${name} = require("node:${id}");` };
  }),
  // commander uses it to start verbs that are programs of their own; we have none.
  { id: 'child_process', name: 'childProcess', first: 'const childProcess = require("node:child_process");' },
];
function askedWhenUsed(code) {
  return FEW_NEED.reduce((text, { id, name, first }) => {
    const [before, after, ...more] = text.split(first);
    // Used for more than one of its functions: unchanged.
    if (after === undefined || more.length > 0 || new RegExp(`\\b${name}\\b(?!\\.)`).test(after)) return text;
    return `${before}const ${name} = () => require("node:${id}");${after.replace(new RegExp(`\\b${name}\\.`, 'g'), `${name}().`)}`;
  }, code);
}
