// Makes docs/captures.md: what gitfleet shows on a terminal, captured with tmux from a real fleet on this machine. Ids,
// times and ports are those of the run; its directory is replaced by /srv. Needs tmux in addition to what the demo
// needs.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setUp } from './setup.mjs';

const [COLUMNS, ROWS] = [120, 40];
const root = fileURLToPath(new URL('..', import.meta.url));
const main = join(root, 'dist/cli/main.cjs');
const directory = mkdtempSync(join(tmpdir(), 'gf-'));
const children = [];
const tmux = (...args) => execFileSync('tmux', ['-L', `gf-${process.pid}`, ...args], { encoding: 'utf8' });
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const shots = [];

async function fleet() {
  const zookeeper = start('zookeeper', [main, 'zk', 'up']);
  const connect = /^ZooKeeper serves: (\S+)$/m.exec(await says(zookeeper, /^ZooKeeper serves: /m))[1];
  const env = { ...clean(), GITFLEET_ZOOKEEPER: connect };
  plain([main, 'init', '--open'], env);
  const [bare, clone] = [join(directory, 'git/shop.git'), join(directory, 'clone')];
  mkdirSync(bare, { recursive: true });
  git(directory, 'init', '-q', '--bare', '-b', 'main', bare);
  git(directory, 'init', '-q', '-b', 'main', clone);
  git(clone, 'remote', 'add', 'origin', bare);
  writeFileSync(join(directory, 'agent.yml'), settings(), { mode: 0o600 });
  const agents = ['web-1', 'web-2', 'web-3'].map((id) => {
    const where = ['--id', id, '--root', join(directory, id, 'www'), '--state', join(directory, id, 'state')];
    const rest = ['--allow-url', `file://${join(directory, 'git')}`, '--settings', join(directory, 'agent.yml')];
    return start(id, [main, 'agent', 'run', ...where, ...rest], env);
  });
  for (const agent of agents) await says(agent, /watching/);
  plain([main, 'hook', 'install', bare, '--relative-path', 'shop', '--branch', 'main'], env);

  tmux('new-session', '-d', '-x', String(COLUMNS), '-y', String(ROWS), '-c', clone, 'sh');
  const shell = {
    PS1: '$ ',
    PATH: process.env.PATH,
    GITFLEET_ZOOKEEPER: connect,
    NO_COLOR: '1',
    TERM: 'screen',
    GITFLEET_AUTHOR: 'ann',
  };
  type(
    `unset ENV; ${Object.entries(shell)
      .map(([name, value]) => `export ${name}='${value}'`)
      .join('; ')}`,
  );
  type(`gitfleet() { '${process.execPath}' '${main}' "$@"; }; clear`);

  commit(clone, 'Shop opens', { 'index.html': 'welcome' });
  shots.push(['A push', 'git push origin main', await run('git push -q origin main')]);
  commit(clone, 'Prices go up', { 'index.html': 'welcome, now dearer' });
  git(clone, 'push', '-q', '--no-verify', 'origin', 'main:refs/heads/next');
  const url = `--url file://${bare}`;
  shots.push(['What a publish would do', 'gitfleet plan next', await run(`gitfleet plan next ${url}`)]);
  shots.push([
    'A publish by hand',
    'gitfleet publish next -m "new prices"',
    await run(`gitfleet publish next ${url} -m 'new prices'`),
  ]);

  commit(clone, 'A slow start', { slow: '' });
  git(clone, 'push', '-q', 'origin', 'main:refs/heads/slow');
  plain([main, 'publish', 'slow', '--url', `file://${bare}`, '--detach'], env, clone);
  await empty();
  type('gitfleet status --watch');
  await sleep(2_500);
  shots.push(['During a deployment', 'gitfleet status --watch', screen().split('\n').slice(1).join('\n')]);
  tmux('send-keys', 'C-c');
  await sleep(6_000);

  commit(clone, 'A mistake', { slow: null, broken: '' });
  git(clone, 'push', '-q', 'origin', 'main:refs/heads/broken');
  shots.push(['A deployment that fails', 'gitfleet publish broken', await run(`gitfleet publish broken ${url}`)]);
  shots.push(['Status after a failure', 'gitfleet status', await run('gitfleet status')]);
  shots.push(['One server', 'gitfleet status web-2', await run('gitfleet status web-2')]);
  shots.push(['A rollback', 'gitfleet rollback -m "broken"', await run('gitfleet rollback -m broken')]);
  shots.push(['The history', 'gitfleet history', await run('gitfleet history')]);
  const here = `--id web-1 --root '${join(directory, 'web-1/www')}' --state '${join(directory, 'web-1/state')}'`;
  const doctor = await run(`gitfleet doctor ${here} --allow-url 'file://${join(directory, 'git')}'`);
  shots.push(['A check of one machine', 'gitfleet doctor', doctor]);
}

/** The activate command causes what the captures show: a slow start, and one that fails. */
function settings() {
  const script =
    'if [ -e slow ]; then sleep 5; fi; if [ -e broken ]; then echo "shop: no such table: prices"; exit 1; fi';
  return `agent:\n  activate:\n    command: [/bin/sh, -c, '${script}']\nlog:\n  level: info\n`;
}

function start(name, args, env = clean()) {
  const file = join(directory, `${name}.log`);
  const log = openSync(file, 'a');
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', log, log] });
  closeSync(log);
  children.push(child);
  return file;
}

async function says(file, pattern) {
  for (let tries = 0; tries < 600; tries++) {
    const text = readFileSync(file, 'utf8');
    if (pattern.test(text)) return text;
    await sleep(100);
  }
  throw new Error(`${file} never said ${pattern}`);
}

function clean() {
  return { PATH: process.env.PATH, HOME: directory, LANG: 'C.UTF-8', NO_COLOR: '1', GITFLEET_AUTHOR: 'ann' };
}

/** Runs a command to its end, with output as for a pipe. */
function plain(args, env = clean(), cwd = directory) {
  return execFileSync(process.execPath, args, { env, cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function git(cwd, ...args) {
  const person = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', '-c', 'init.defaultBranch=main'];
  execFileSync('git', [...person, ...args], { cwd, env: clean(), stdio: ['ignore', 'ignore', 'inherit'] });
}

function commit(clone, message, files) {
  for (const [name, content] of Object.entries(files)) {
    if (content === null) rmSync(join(clone, name));
    else writeFileSync(join(clone, name), content);
  }
  git(clone, 'add', '-A');
  git(clone, 'commit', '-q', '-m', message);
}

const type = (line) => tmux('send-keys', '-l', line) + tmux('send-keys', 'Enter');

/** Types a command on an empty screen, waits for the next prompt, and returns what is between. */
async function run(line) {
  await empty();
  type(line);
  const isOver = (lines) => lines.length > 1 && lines.at(-1) === '$';
  while (!isOver(screen().split('\n'))) await sleep(100);
  return screen()
    .split('\n')
    .slice(Math.ceil((line.length + 2) / COLUMNS), -1)
    .join('\n');
}

async function empty() {
  type('clear');
  while (screen() !== '$') await sleep(100);
}

const screen = () => tmux('capture-pane', '-p').replace(/\s+$/, '');

function indented(text) {
  const lines = text
    .replaceAll(directory, '/srv')
    .replaceAll(root, '/opt/gitfleet/')
    .replace(/\/tmp\/gitfleet-demo-\w+/g, '/srv')
    .trimEnd()
    .split('\n');
  return `${lines.map((line) => (line === '' ? '' : `    ${line}`)).join('\n')}\n`;
}

setUp({ allowed: true });
try {
  shots.push(['The whole product on one machine', 'npm run demo -- --exit', plain([main, 'demo', '--exit'])]);
  await fleet();
  const intro = [
    '# What it looks like',
    '',
    `Made by \`npm run captures\` from a real fleet, on a terminal of ${COLUMNS} columns and ${ROWS} rows, without colours.`,
  ];
  const parts = shots.map(([title, command, text]) => `## ${title}\n\n    $ ${command}\n${indented(text)}`);
  writeFileSync(join(root, 'docs/captures.md'), `${[...intro, '', ...parts].join('\n')}\n`);
  console.log(`docs/captures.md: ${shots.length} captures`);
} finally {
  try {
    tmux('kill-server');
  } catch {
    // Nothing was started in it.
  }
  for (const child of children.reverse()) child.kill('SIGTERM');
  await sleep(3_000);
  rmSync(directory, { recursive: true, force: true });
}
