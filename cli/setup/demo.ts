import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { run as runProcess } from '../../runtime/process.ts';
import { shellWord } from '../../runtime/shell-word.ts';
import { createShutdown } from '../../runtime/shutdown.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { untilStopped } from '../shell/signals.ts';
import { say, warn } from '../shell/terminal.ts';
import { startLocalZooKeeper } from '../zk/local-zookeeper.ts';

const AGENTS = ['web-1', 'web-2', 'web-3'];
const MAIN = fileURLToPath(new URL('./main.cjs', import.meta.url));
const shutdown = createShutdown((name, error) => warn(`demo: stopping ${name} failed: ${error}`));

/**
 * The whole product on one machine with real parts: ZooKeeper, a bare repository with the hook, three agents as
 * separate processes. Everything is in one temporary directory, which is removed with the demo.
 */
export async function run({ options }: Call): Promise<number> {
  const stopped = untilStopped();
  try {
    const directory = await mkdtemp(join(tmpdir(), 'gitfleet-demo-'));
    shutdown.add('directory', () => rm(directory, { recursive: true, force: true }));
    const show = playShow(directory);
    const ended = await Promise.race([show, stopped]);
    if (typeof ended === 'string') {
      // Ends the running command, and waits for what is just starting, before everything is stopped.
      shutdown.ask();
      await show.catch(() => {});
      return EXIT.detached;
    }
    if (options['exit']) return ended.exitCode;
    say('', 'The fleet keeps running for you to try; Ctrl-C stops it and removes everything.');
    await stopped;
    return ended.exitCode;
  } finally {
    await shutdown.stop();
  }
}

async function playShow(directory: string): Promise<{ exitCode: number }> {
  title('1. a ZooKeeper, as a child of this process');
  const zookeeper = await startLocalZooKeeper(1);
  shutdown.add('ZooKeeper', () => zookeeper.stop());
  const z = zookeeper.connectString;
  say(`   serves at ${z}`);
  await gitfleet(['init', '--open', '-z', z], directory);

  title('2. three agents, each with a root of its own');
  const agents = AGENTS.map((id) => {
    const agent = startAgent(id, z, directory);
    shutdown.add(id, () => stopChild(agent));
    return agent;
  });
  for (const id of AGENTS) await watching(join(directory, id, 'agent.log'));
  say(...AGENTS.map((id) => `   ${id} watches, and will show: ${join(directory, id, 'root', 'shop')}`));

  title('3. a bare repository whose post-receive hook deploys the branch main');
  const origin = join(directory, 'shop.git');
  const clone = join(directory, 'clone');
  await git(['init', '--quiet', '--bare', '--initial-branch=main', origin], directory);
  await gitfleet(['hook', 'install', origin, '--relative-path', 'shop', '--branch', 'main', '-z', z], directory);
  await git(['init', '--quiet', '--initial-branch=main', clone], directory);
  await git(['remote', 'add', 'origin', origin], clone);
  for (const [key, value] of Object.entries(AS_CLONED)) await git(['config', key, value], clone);

  const first = await push(clone, 'Shop opens', 'Welcome to the shop\n');
  await push(clone, 'Prices go up', 'Welcome to the shop, now dearer\n');

  title('6. going back: gitfleet rollback');
  // In the clone, which has the commits that are taken away and the branch that contains them.
  await gitfleet(['rollback', '-z', z, '-m', 'customers complain'], clone);

  title('7. the fleet now');
  await gitfleet(['status', '-z', z], directory);
  await gitfleet(['history', '-z', z], directory);
  const verdict = await inspectAgents(directory, first);

  title('where to look, what to try');
  say(
    `   a release:      ls -l ${shellWord(join(directory, 'web-1', 'root'))}`,
    `   an agent's log: ${join(directory, 'web-1', 'agent.log')}`,
    `   the clone:      cd ${shellWord(clone)}; edit, git commit -a, git push`,
    `   the fleet:      export GITFLEET_ZOOKEEPER=${z}`,
    `                   node ${shellWord(MAIN)} status`,
    `                   node ${shellWord(MAIN)} history`,
    `                   node ${shellWord(MAIN)} rollback d-2`,
    `   a fault:        kill -9 ${agents.at(-1)?.pid} stops ${AGENTS.at(-1)}, which nothing restarts here; the others continue`,
  );
  say('', `demo: ${verdict.reached}/${AGENTS.length} agents at ${first}`);
  return { exitCode: verdict.reached === AGENTS.length ? EXIT.converged : EXIT.failed };
}

/**
 * For further trials in the clone: a plain `git push` has a destination, and a commit needs no user name on this
 * machine.
 */
const AS_CLONED = {
  'branch.main.remote': 'origin',
  'branch.main.merge': 'refs/heads/main',
  'user.name': 'Demo',
  'user.email': 'demo@example.com',
};

let step = 3;
async function push(clone: string, message: string, text: string): Promise<string> {
  step += 1;
  title(`${step}. git push: "${message}"`);
  await writeFile(join(clone, 'index.txt'), text);
  await git(['add', '--all'], clone);
  await git(['commit', '--quiet', '-m', message], clone);
  await git(['push', '--quiet', 'origin', 'main'], clone);
  return (await git(['rev-parse', 'HEAD'], clone)).trim();
}

/** Reads the disks of the agents, not their reports. */
async function inspectAgents(directory: string, commitId: string): Promise<{ reached: number }> {
  let reached = 0;
  for (const id of AGENTS) {
    shutdown.signal.throwIfAborted();
    const link = join(directory, id, 'root', 'shop');
    const head = (await git(['rev-parse', 'HEAD'], link).catch((error) => String(error))).trim();
    const text = await readFile(join(link, 'index.txt'), 'utf8').catch((error) => String(error));
    say(`   ${id}: HEAD ${head.slice(0, 10)}, index.txt says "${text.trim()}"`);
    if (head === commitId && text === 'Welcome to the shop\n') reached += 1;
  }
  return { reached };
}

function startAgent(id: string, zookeeper: string, directory: string): ChildProcess {
  const home = join(directory, id);
  const layout = ['--root', join(home, 'root'), '--state', join(home, 'state')];
  const args = [MAIN, 'agent', 'run', '--id', id, ...layout, '-z', zookeeper, '--allow-url', `file://${directory}`];
  // In a process group of its own: Ctrl-C goes only to the demo, which then stops its agents one by one. If the demo is
  // killed, the agents end at their next log line, because its reader is gone.
  const stdio: ('ignore' | 'pipe')[] = ['ignore', 'pipe', 'pipe'];
  const child = spawn(process.execPath, args, { stdio, env: environment(), detached: true });
  const log = mkdir(home, { recursive: true }).then(() => createWriteStream(join(home, 'agent.log'), { flags: 'a' }));
  log.then((file) => {
    child.stdout?.pipe(file, { end: false });
    child.stderr?.pipe(file, { end: false });
  });
  child.on('exit', (code, signal) => {
    if (code !== 0 && signal !== 'SIGTERM')
      warn(`demo: ${id} ended (${signal ?? `exit ${code}`}); its log: ${home}/agent.log`);
  });
  return child;
}

/** Resolves once the agent's log says that it is watching. */
async function watching(log: string): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if ((await readFile(log, 'utf8').catch(() => '')).includes('watching')) return;
    await systemClock.sleep(50, shutdown.signal);
  }
  throw FleetError.of('DEMO_FAILED', 'an agent did not come up within 30 s', `its log: ${log}`);
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const cancel = systemClock.after(5_000, () => child.kill('SIGKILL'));
  await ended;
  cancel();
}

/** Runs one gitfleet command and shows its output. */
async function gitfleet(args: readonly string[], cwd: string): Promise<void> {
  const words = args.filter((arg, at) => arg !== '-z' && args[at - 1] !== '-z');
  say(`   $ gitfleet ${words.map(shellWord).join(' ')}`);
  await shown([process.execPath, MAIN, ...args], cwd);
}

async function git(args: readonly string[], cwd: string): Promise<string> {
  if (args[0] === 'push') say('   $ git push origin main');
  return await shown(['git', ...args], cwd, args[0] !== 'rev-parse');
}

async function shown(argv: readonly string[], cwd: string, print = true): Promise<string> {
  const lines = (stream: string, chunk: Buffer) => {
    if (print)
      for (const line of chunk.toString('utf8').split('\n')) if (line.trim()) say(`   ${stream}${line.trimEnd()}`);
  };
  const result = await runProcess(argv, {
    cwd,
    env: environment(),
    clock: systemClock,
    signal: shutdown.signal,
    timeoutMs: 120_000,
    maxBytes: 1_000_000,
    keep: 'tail',
    onOutput: (_, chunk) => lines('', chunk),
  });
  if (result.exitCode === 0) return result.stdout.toString('utf8');
  throw FleetError.of(
    'DEMO_FAILED',
    `${argv.slice(0, 4).join(' ')} ... ended with ${result.exitCode ?? result.signal ?? result.ended}`,
  );
}

/** Only what programs need to run: no GITFLEET_ or GIT_ settings of the person are used. */
function environment(): Record<string, string> {
  const { PATH, HOME, LANG } = process.env;
  return { PATH: PATH ?? '/usr/bin:/bin', HOME: HOME ?? '/', LANG: LANG ?? 'C.UTF-8' };
}

function title(text: string): void {
  shutdown.signal.throwIfAborted();
  say('', text);
}
